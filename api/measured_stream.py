"""Streams to clients, counted while they are open."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from api.streaming import EventSource
from common.metrics import Metrics
from common.metrics.requests import StreamKind
from common.providers.base import Batch
from common.relay import RelayedStream
from common.usage import usage_of


class MeasuredStream:
    """An event source around another, whose events come through untouched."""

    def __init__(self, source: EventSource, metrics: Metrics, kind: StreamKind) -> None:
        self.headers = source.headers
        self._source = source
        self._metrics = metrics
        self._kind = kind
        self._is_open = True
        self._opened_at = metrics.requests.stream_opened(kind)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._source)

    def close(self) -> None:
        """Close the source, and count: once."""
        try:
            self._source.close()
        finally:
            if self._is_open:
                self._is_open = False
                self._metrics.requests.stream_closed(self._kind, self._opened_at)
                self._ended()

    def _ended(self) -> None:
        """What a job has used is counted when it ends, whoever looks on."""


class MeasuredRelay(MeasuredStream):
    """The same of a provider's stream, with what its response has used."""

    def __init__(self, stream: RelayedStream, metrics: Metrics) -> None:
        super().__init__(stream, metrics, "inline")
        self._stream = stream

    @cached_property
    def final_response(self) -> dict[str, Any] | None:
        """See RelayedStream; ask when the stream is over."""
        return self._stream.final_response

    def _ended(self) -> None:
        if self.final_response is not None:
            by, used = self._stream.exchange, usage_of(self.final_response.get("usage"))
            self._metrics.providers.spent(by.provider, by.model_deployment, used)
