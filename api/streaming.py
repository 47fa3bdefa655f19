"""Events to HTTP: a relayed stream as the body of a response."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from api.reply import Reply
from common.sse import COMMENT, SseEvent, encode_event

# Proxies between us and the caller shall pass each event on as it comes.
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
# So that the first of many events does not wait for all of them.
MOST_TOGETHER = 64
CONTENT_TYPE = "text/event-stream; charset=utf-8"


class EventSource(Protocol):
    """Events, None for each silence, and a way to end it."""

    headers: dict[str, str]

    @property
    def has_more_at_hand(self) -> bool: ...

    def __iter__(self) -> Iterator[SseEvent | None]: ...

    def close(self) -> None: ...


class EventBody(Iterable[bytes]):
    """The bytes of a stream. The server closes it when the client leaves; so is the source."""

    def __init__(self, source: EventSource) -> None:
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        """Each event as it comes; but events that came together go together, for handing bytes
        to the server costs more than all else that is done for an event."""
        together: list[bytes] = []
        for event in self._source:
            together.append(COMMENT if event is None else encode_event(event.name, event.data))
            if not self._source.has_more_at_hand or len(together) == MOST_TOGETHER:
                yield b"".join(together)
                together.clear()
        if together:
            yield b"".join(together)

    def close(self) -> None:
        self._source.close()


def stream_reply(source: EventSource) -> Reply:
    """The stream as it comes, kept from being cached or held back on its way."""
    return Reply(200, EventBody(source), source.headers | STREAM_HEADERS, CONTENT_TYPE)
