"""Server-sent events, read and written as bytes.

The format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
Only bytes are looked at: a line ends at CR, LF or CRLF and nowhere else, whatever a text decoder
takes for a line end (U+2028, U+0085 …).
"""

from typing import NamedTuple

# Keeps a silent connection open; clients ignore it.
COMMENT = b": keep-alive\n\n"

DEFAULT_MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event: its name (``event:`` line, empty if there was none) and its data, as bytes."""

    name: bytes
    data: bytes


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
        if not chunk:
            return []
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_lf_only(chunk)
        if self._head is not None:
            chunk = self._without_bom(chunk)
        blocks = self._blocks_ended_by(chunk)
        return [event for block in blocks if (event := _event_of(block)) is not None]

    def _blocks_ended_by(self, chunk: bytes) -> list[bytes]:
        """What stands between blank lines, up to the last one."""
        pending = self._pending
        if not pending and len(chunk) <= self._max_event_bytes and chunk.endswith(b"\n\n"):
            return chunk[:-2].split(b"\n\n")  # whole events, as nearly every chunk brings
        searched = max(len(pending) - 1, 0)
        pending += chunk
        end = pending.rfind(b"\n\n", searched)
        blocks = bytes(pending[:end]).split(b"\n\n") if end >= 0 else []
        if end >= 0:
            del pending[: end + 2]
        self._check_sizes(pending, *blocks)
        return blocks

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

    def _check_sizes(self, *blocks: bytes | bytearray) -> None:
        if max(map(len, blocks)) > self._max_event_bytes:
            raise ValueError(f"an event of the stream is longer than {self._max_event_bytes} bytes")


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


def _event_of(block: bytes) -> SseEvent | None:
    """The event of the lines between two blank lines; None if they hold no data."""
    # Nearly every event has just the two lines `event: …` and `data: …`: this is the hot path.
    if block.count(b"\n") == 1 and block.startswith(b"event: "):
        head, found, data = block.partition(b"\ndata: ")
        if found:
            return SseEvent(head[7:], data)
    return _event_of_lines(block.split(b"\n"))


def _event_of_lines(lines: list[bytes]) -> SseEvent | None:
    name = b""
    data: list[bytes] = []
    for line in lines:
        field, _, value = line.partition(b":")  # a comment has the empty field
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return SseEvent(name, b"\n".join(data)) if data else None
