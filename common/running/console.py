"""What `muninn up` shows: the lines of its children, each under the name of who said it."""

import sys
import time
from typing import BinaryIO

from common.log_lines import json_line


class Console:
    """Writes whole lines, prefixed and padded: ``worker | started``.

    With ``is_json`` each line is a JSON object and nothing else is written: what a child wrote as
    one stays as it is, any other line becomes one.

    A reader that goes away (`muninn up | head`, a closed terminal) mutes it and stops nothing.
    """

    def __init__(
        self, stream: BinaryIO | None = None, width: int = 6, *, is_json: bool = False
    ) -> None:
        self._stream = sys.stdout.buffer if stream is None else stream
        self._width = width
        self._is_json = is_json
        self._muted = False

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.line("muninn", text.encode())

    def line(self, name: str, text: bytes) -> None:
        """A line that a child wrote."""
        if not self._is_json:
            self._write(f"{name:<{self._width}} | ".encode() + text + b"\n")
        elif text.startswith(b"{"):
            self._write(text + b"\n")
        elif text.strip():
            message = text.decode("utf-8", "replace")
            self._write(json_line(time.time(), "info", name, message).encode() + b"\n")

    def block(self, text: str) -> None:
        """Lines for people to read or copy, without a prefix."""
        if not self._is_json:
            self._write(text.encode())

    def _write(self, data: bytes) -> None:
        if self._muted:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self._muted = True
