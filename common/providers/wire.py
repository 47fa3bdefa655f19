"""One HTTP/1.1 answer as it comes off the wire: bytes in, head and body out. No sockets."""

import zlib
from typing import Any

import httptools

from common.errors import ProviderInvalidAnswer

MAX_HEAD_BYTES = 64 * 1024


class WireAnswer:
    """The answer to one request, parsed as its bytes are fed. 1xx answers are skipped.

    ``complete`` is set when the message has ended; only then is ``keep_alive`` known.
    """

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.reason = b""
        self.begun = False
        self.head_complete = False
        self.complete = False
        self.keep_alive = False
        self._framed = False
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Parse more bytes; raises ProviderInvalidAnswer where they are no HTTP."""
        self.begun = True
        if not self.head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise ProviderInvalidAnswer("The provider's answer is not valid HTTP.") from None
            self.keep_alive = False  # bytes after the end of a last message
        if not self.head_complete and self._head_bytes > MAX_HEAD_BYTES:
            raise ProviderInvalidAnswer("The head of the provider's answer is too long.")
        if self.complete:
            self._parser = None  # the two hold each other

    def feed_end(self) -> bool:
        """The connection was closed; tell whether that is a proper end of the answer."""
        if self.head_complete and not self._framed:
            self.complete = True
            self._parser = None
        return self.complete

    def take_body(self) -> bytes:
        """The body bytes that came since the last call."""
        if not self._body:
            return b""
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return body

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        if self.complete:
            self.keep_alive = False  # an answer that nobody asked for: the line is out of step

    def on_status(self, reason: bytes) -> None:
        if not self.head_complete:
            self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_complete:
            return  # a trailer
        lower = name.lower()
        self._framed |= lower in (b"content-length", b"transfer-encoding")
        self.headers.append((lower, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        self.status = self._parser.get_status_code()
        self.head_complete = self.status >= 200

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self.head_complete and not self.complete:
            self.complete = True
            self.keep_alive = self._parser.should_keep_alive()
        elif not self.complete:
            self.headers.clear()
            self.reason = b""
            self._framed = False


class Decoding:
    """Undoes a content coding: gzip, deflate (with or without its zlib head), or none."""

    def __init__(self, coding: str) -> None:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise ProviderInvalidAnswer("The provider's answer has a content coding not asked for.")
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._may_be_headless = coding == "deflate"

    def feed(self, data: bytes) -> bytes:
        try:
            plain = self._zlib.decompress(data)
        except zlib.error:
            if not self._may_be_headless:
                raise _broken_coding() from None
            plain = self._without_head(data)
        self._may_be_headless = False
        return plain

    def check_ended(self) -> None:
        """Raise ProviderInvalidAnswer if the coded data stopped before its end."""
        if not self._zlib.eof:
            raise _broken_coding()

    def _without_head(self, data: bytes) -> bytes:
        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._zlib.decompress(data)
        except zlib.error:
            raise _broken_coding() from None


def _broken_coding() -> ProviderInvalidAnswer:
    return ProviderInvalidAnswer("The provider's compressed answer is broken.")
