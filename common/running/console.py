"""What `muninn up` shows: the lines of its children, each under the name of who said it."""

import sys
from typing import BinaryIO


class Console:
    """Writes whole lines, prefixed and padded: ``worker | started``.

    A reader that goes away (`muninn up | head`, a closed terminal) mutes it and stops nothing.
    """

    def __init__(self, stream: BinaryIO | None = None, width: int = 6) -> None:
        self._stream = sys.stdout.buffer if stream is None else stream
        self._width = width
        self._muted = False

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.line("muninn", text.encode())

    def line(self, name: str, text: bytes) -> None:
        """A line that a child wrote."""
        self._write(f"{name:<{self._width}} | ".encode() + text + b"\n")

    def block(self, text: str) -> None:
        """Lines to read or copy, without a prefix."""
        self._write(text.encode())

    def _write(self, data: bytes) -> None:
        if self._muted:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self._muted = True
