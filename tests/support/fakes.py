"""Providers that do as they are told, without sockets."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from common.inference import Inference
from common.provider_rows import ProviderRow
from common.providers.base import Batch, ProviderAnswer, ProviderRequest, UpstreamCall
from common.providers.registry import Registry
from common.sse import SseEvent

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "status": "completed",
    "model": "m",
    "output": [],
}


def one_by_one(stream: Iterable[Batch]) -> Iterator[SseEvent | None]:
    """The events of a stream, and None for each silence."""
    for batch in stream:
        yield from batch or (None,)


class FakeStream:
    """Yields what it was given; an exception among it is raised."""

    def __init__(self, pieces: Iterable[SseEvent | Exception | None]) -> None:
        self.headers = {"x-request-id": "req_1"}
        self.closed = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[Batch]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield () if piece is None else (piece,)

    def close(self) -> None:
        self.closed += 1


class FakeProvider:
    """Answers each call with the next of ``outcomes``: a response, an exception or a stream.

    The last one is repeated. ``requests`` and ``calls`` are those it got.
    """

    def __init__(self, *outcomes: Any, name: str = "fake") -> None:
        self.name = name
        self.requests: list[ProviderRequest] = []
        self.calls: list[UpstreamCall] = []
        self._outcomes = list(outcomes) or [RESPONSE]

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        body = self._next(request, call)
        return ProviderAnswer(body, orjson.dumps(body), {"x-request-id": "req_1"})

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> FakeStream:
        outcome = self._next(request, call)
        assert isinstance(outcome, FakeStream)
        return outcome

    def _next(self, request: ProviderRequest, call: UpstreamCall) -> Any:
        outcome = self._outcomes[min(len(self.requests), len(self._outcomes) - 1)]
        self.requests.append(request)
        self.calls.append(call)
        if callable(outcome):
            outcome = outcome(request, call)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def event(kind: str, **fields: Any) -> SseEvent:
    """An event as a provider sends it."""
    return SseEvent(kind.encode(), orjson.dumps({"type": kind, **fields}))


def inference_on(provider: FakeProvider, **aliases: str) -> Inference:
    """The inference verb with this provider as the default, under the name ``fake``."""
    row = ProviderRow(base_url="http://fake.invalid/v1", models=aliases)
    return Inference(Registry({"fake": provider}, {"fake": row}, "fake"))
