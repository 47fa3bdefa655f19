"""Server-sent events, read and written as bytes.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
Only bytes are looked at: a line ends at CR, LF or CRLF and nowhere else, whatever a text decoder
takes for a line end (U+2028, U+0085 …).
"""

import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

# Keeps a silent connection open; clients ignore it.
COMMENT = b": keep-alive\n\n"

DEFAULT_MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"

_FRAME = b"event: %b\ndata: %b\n\n"

# Nearly every event has just these two lines.
_TWO_LINES = re.compile(rb"event: ([^\n]*)\ndata: ([^\n]*)\n\n")
_AROUND = len(b"event: \ndata: \n\n")


class SseEvent(NamedTuple):
    """One event: its name (``event:`` line, empty if there was none) and its data, as bytes."""

    name: bytes
    data: bytes


# Half the cost of calling the class, which is all that an event costs here.
as_event = partial(tuple.__new__, SseEvent)


class SseDecoder:
    """Turns the chunks of one stream into events, however the chunks are cut.

    What is left unfinished when the stream ends is no event and is dropped with the decoder.
    ``max_event_bytes`` bounds the bytes held for one event; beyond it ``feed`` raises ValueError.
    """

    def __init__(self, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()  # the unfinished event; its lines end in LF alone
        self._head: bytes | None = b""  # what may be a byte order mark; None once that is settled
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that ``chunk`` completes, in order."""
        return events_of(self.feed_frames(chunk))

    def feed_frames(self, chunk: bytes) -> bytes:
        """The same as they stand on the wire, line ends in LF alone; see ``events_of``."""
        if not chunk:
            return b""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf_only(chunk)
        if self._head is not None:
            chunk = self._without_bom(chunk)
        return self._ended_by(chunk)

    def _ended_by(self, chunk: bytes) -> bytes:
        """What has come up to the last blank line; the rest is kept."""
        pending = self._pending
        if not pending and chunk.endswith(b"\n\n"):
            ended = chunk  # as nearly every chunk of a stream that is not in a hurry
        else:
            searched = max(len(pending) - 1, 0)
            pending += chunk
            end = pending.rfind(b"\n\n", searched) + 2
            ended = bytes(pending[:end]) if end >= 2 else b""
            del pending[: len(ended)]
        self._check_size(ended)
        return ended

    def _check_size(self, ended: bytes) -> None:
        longest = self._max_event_bytes
        if len(self._pending) <= longest and len(ended) <= longest:
            return
        if any(len(block) > longest for block in (self._pending, *ended.split(b"\n\n"))):
            raise ValueError(f"an event of the stream is longer than {longest} bytes")

    def _with_lf_only(self, chunk: bytes) -> bytes:
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")  # CRLF cut in two: its CR has ended the line
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, chunk: bytes) -> bytes:
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)


def encode_event(name: bytes, data: bytes) -> bytes:
    """One event on the wire; data of several lines takes several ``data:`` lines.

    ``name`` must be free of line ends; empty, it is left out.
    """
    if b"\n" in data or b"\r" in data:
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        data = b"\ndata: ".join(lines)
    if not name:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (name, data)


def encode_events(events: Sequence[SseEvent]) -> bytes:
    """Many events on the wire. All at once: nearly always they are named and of one line each."""
    names, values = zip(*events, strict=True) if events else ((), ())
    all_values = b"".join(values)
    if all(names) and b"\n" not in all_values and b"\r" not in all_values:
        return b"".join([_FRAME % event for event in events])
    return b"".join([encode_event(name, data) for name, data in events])


def events_of(ended: bytes) -> list[SseEvent]:
    """The events of bytes that end with a blank line, and whose lines end in LF."""
    found = _TWO_LINES.findall(ended)
    if sum(map(len, chain.from_iterable(found))) + _AROUND * len(found) == len(ended):
        return [as_event(pair) for pair in found]
    blocks = ended.split(b"\n\n")
    return [event for block in blocks if (event := _event_of(block)) is not None]


def _event_of(block: bytes) -> SseEvent | None:
    """The event of the lines between two blank lines; None if they hold no data."""
    name = b""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")  # a comment has the empty field
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return SseEvent(name, b"\n".join(data)) if data else None
