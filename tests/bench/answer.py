"""What the load generator looks at in an answer: its status, its end, and its events."""

_LAST_CHUNK = b"\r\n0\r\n\r\n"
_EVENT = b"data: "


class AnswerReader:
    """Reads one answer after the other as its bytes come, and keeps no more than it must.

    ``body`` is the whole body where ``keeps_body`` is set and the length was announced.
    """

    def __init__(self, keeps_body: bool = False) -> None:
        self._keeps_body = keeps_body
        self.reset()

    def reset(self) -> None:
        """Be ready for the next answer."""
        self.status = 0
        self.events = 0
        self.body = b""
        self._head = b""
        self._missing = 0
        self._is_chunked = False
        self._tail = b""

    def feed(self, data: bytes) -> bool:
        """Whether the answer is complete with these bytes."""
        if not self.status:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return False
            self._read_head(data[: end + 2].lower())
            data = data[end + 4 :]
        if self._is_chunked:
            return self._feed_chunks(data)
        self._missing -= len(data)
        if self._keeps_body:
            self.body += data
        return self._missing <= 0

    def _read_head(self, head: bytes) -> None:
        self.status = int(head[9:12])
        at = head.find(b"content-length:")
        if at < 0:
            self._is_chunked = True
        else:
            self._missing = int(head[at + 15 : head.find(b"\r", at)])

    def _feed_chunks(self, data: bytes) -> bool:
        """Count events; the tail of the last bytes finds what is cut in two."""
        seen = self._tail + data
        self.events += seen.count(_EVENT, max(0, len(self._tail) - len(_EVENT) + 1))
        self._tail = seen[-len(_LAST_CHUNK) :]
        return seen.endswith(_LAST_CHUNK)
