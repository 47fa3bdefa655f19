"""A stream of a provider's background mode, read to its end over lost connections.

The provider works on whether anybody reads or not, so a stream that breaks is opened again where it
broke, and nothing is paid twice.
"""

import logging
from collections.abc import Iterator
from typing import Any

from common.background_call import (
    UNFINISHED,
    UpstreamMemory,
    finished,
    is_final,
    patiently,
    pause,
    retrieved,
)
from common.errors import ProviderFailure
from common.providers.background_api import BackgroundProvider
from common.providers.base import (
    Batch,
    ProviderAnswer,
    ProviderRequest,
    ProviderStream,
    UpstreamCall,
)
from common.providers.response_stream import DerivedStream, encoded_events, object_in
from common.sse import SseEvent

log = logging.getLogger(__name__)


def stream_in_background(
    provider: BackgroundProvider,
    request: ProviderRequest,
    call: UpstreamCall,
    memory: UpstreamMemory,
) -> "FollowedStream":
    """The events from the first on; submitted, and paid for, only if no earlier attempt did."""
    upstream_id = memory.upstream_id
    if upstream_id is None:
        stream = provider.submit_stream(request, call, memory.key)
    else:
        log.info("following the upstream response: job_id=%s", memory.key)
        stream = patiently(lambda: provider.retrieve_stream(upstream_id, call), call)
    return FollowedStream(provider, stream, call, memory)


class FollowedStream:
    """See ProviderStream. ``stream`` is the first part of it."""

    def __init__(
        self,
        provider: BackgroundProvider,
        stream: ProviderStream,
        call: UpstreamCall,
        memory: UpstreamMemory,
    ) -> None:
        self.headers = stream.headers
        self._provider = provider
        self._stream = stream
        self._call = call
        self._memory = memory
        self._last: int | None = None  # the provider's sequence number, if it gives any
        self._seen = 0
        self._breaks = 0

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Batch]:
        skip = 0
        while True:
            try:
                yield from self._part(skip)
                return
            except ProviderFailure as error:
                if self._memory.upstream_id is None or is_final(error):
                    raise
            log.info("upstream stream broke: job_id=%s", self._memory.key)
            self._open_again(self._memory.upstream_id)
            # Without numbers the provider starts from the first event again.
            skip = self._seen if self._last is None else 0

    def _open_again(self, upstream_id: str) -> None:
        self._stream.close()
        self._breaks += 1
        pause(self._breaks, self._call)
        self._stream = patiently(
            lambda: self._provider.retrieve_stream(upstream_id, self._call, self._last), self._call
        )

    def _part(self, skip: int) -> Iterator[Batch]:
        """The events of the stream that is open, without the first ``skip``."""
        whole = self._answered_whole()
        if whole is not None:
            yield self._events_of(whole)
            return
        for batch in self._stream:
            for event in batch:
                if event.name == b"error":
                    yield self._after_error(event)
                    return
                if skip:
                    skip -= 1
                else:
                    self._note(object_in(event.data))
                    yield (event,)
            if not batch:
                yield ()

    def _note(self, event: dict[str, Any]) -> None:
        self._seen += 1
        self._breaks = 0
        number = event.get("sequence_number")
        self._last = number if isinstance(number, int) else self._last
        response = event.get("response")
        if isinstance(response, dict) and response.get("id"):
            self._memory.note(response["id"])

    def _answered_whole(self) -> dict[str, Any] | None:
        """The finished response of a server that has no streams in its background mode."""
        if not isinstance(self._stream, DerivedStream):
            return None
        body = self._stream.response
        self._memory.note(body.get("id"))
        return finished(self._provider, ProviderAnswer(body, b""), self._call).body

    def _after_error(self, event: SseEvent) -> Batch:
        """An error may be the stream's alone: what became of the response tells its record."""
        if self._memory.upstream_id is None:
            return (event,)
        answer = retrieved(self._provider, self._memory.upstream_id, self._call)
        if answer.body.get("status") in UNFINISHED:
            answer = finished(self._provider, answer, self._call)
        return self._events_of(answer.body)

    def _events_of(self, response: dict[str, Any]) -> Batch:
        """All events of a finished response, or the last alone when some were told already."""
        events = list(encoded_events(response))
        return events[-1:] if self._seen else events
