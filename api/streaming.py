"""Events to HTTP: a relayed stream as the body of a response."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from api.reply import Reply
from common.bursts import encoded
from common.providers.base import Batch
from common.sse import COMMENT

# Proxies between us and the caller shall pass each event on as it comes.
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
CONTENT_TYPE = "text/event-stream; charset=utf-8"


class EventSource(Protocol):
    """Events in batches, an empty one for each silence, and a way to end it."""

    headers: dict[str, str]

    def __iter__(self) -> Iterator[Batch]: ...

    def close(self) -> None: ...


class EventBody(Iterable[bytes]):
    """The bytes of a stream. The server closes it when the client leaves; so is the source."""

    def __init__(self, source: EventSource) -> None:
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        """Each event as it comes; but events that came together go together, for handing bytes
        to the server costs more than all else that is done for an event."""
        for batch in self._source:
            yield encoded(batch) if batch else COMMENT

    def close(self) -> None:
        self._source.close()


def stream_reply(source: EventSource) -> Reply:
    """The stream as it comes, kept from being cached or held back on its way."""
    return Reply(200, EventBody(source), source.headers | STREAM_HEADERS, CONTENT_TYPE)
