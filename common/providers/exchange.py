"""One request and its answer on one connection."""

from collections.abc import Callable, Iterator
from typing import Any

from common.errors import (
    CallAborted,
    ProviderFailure,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.providers.base import UpstreamCall
from common.providers.connections import Connection
from common.providers.wire import Decoding, WireAnswer

# Who waits for bytes holds the buffer for them all the while, a thousand calls a thousand buffers:
# so a small one, until there is more to read than it takes.
_WAITING_BYTES = 4 * 1024
# Of a stream most reads bring one event. So little is in Python's own memory; the C library's would
# be torn to pieces by larger ones, each shrunk to what came: 40 KB for each stream.
_EVENT_BYTES = 448
# An answer that is read to its end before anything is done with it may take a large buffer; of a
# stream, what was read at once is held until it has been passed on.
_STREAM_BYTES = 32 * 1024
_WHOLE_BYTES = 64 * 1024
_SMALL_BYTES = 65536


class Exchange:
    """Sends a request and reads its answer; it is the ``raw`` of a ``requests.Response``.

    It owns its connection until the answer has been read to its end, when ``give_back`` gets it,
    or until ``close``, which closes it. ``read_timeout_seconds`` is the longest silence allowed.

    Reading raises ProviderUnreachable when the connection ends before a byte of answer,
    ProviderInvalidAnswer when it ends or breaks after one, ProviderTimeout after too long a
    silence, and CallAborted after ``call.abort``.
    """

    def __init__(
        self,
        connection: Connection,
        call: UpstreamCall,
        read_timeout_seconds: float,
        give_back: Callable[[Connection], None],
    ) -> None:
        self.answer = WireAnswer()
        self._connection: Connection | None = connection
        self._call = call
        self._read_timeout_seconds = read_timeout_seconds
        self._silent_seconds = 0.0
        self._buffer_bytes = _WAITING_BYTES
        self._flowing_bytes = _STREAM_BYTES
        self._waiting_bytes = _WAITING_BYTES
        self._give_back = give_back
        self._decoding: Decoding | None = None
        self._peeked = b""
        self._is_broken = False

    def begin(self, head: bytes, body: bytes) -> None:
        """Send the request and read the head of its answer."""
        try:
            self._send(head, body)
            while not self.answer.head_complete:
                self._receive(None)
            self._choose_decoding()
        except BaseException:
            self.close()
            raise

    def expect_events(self) -> None:
        """What is read from now on comes in little pieces with pauses between them."""
        self._waiting_bytes = _EVENT_BYTES
        if self._buffer_bytes == _WAITING_BYTES:  # or there is more to be had now
            self._buffer_bytes = _EVENT_BYTES

    def read_some(self, wait_seconds: float | None = None) -> bytes | None:
        """The next bytes of the body, b"" at its end, None after a silence of ``wait_seconds``."""
        if self._peeked:
            data, self._peeked = self._peeked, b""
            return data
        while True:
            data = self._take_decoded()
            if data:
                return data
            if self.answer.complete:
                self._check_decoded()
                return b""
            if not self._receive(wait_seconds):
                return None

    def peek(self) -> bytes:
        """The next bytes of the body, which stay to be read; b"" at its end."""
        self._peeked = self.read_some() or b""
        return self._peeked

    def read_all(self, max_bytes: int) -> bytes:
        """The rest of the body; raises ProviderInvalidAnswer if it is longer than ``max_bytes``."""
        parts = []
        size = 0
        self._flowing_bytes = _WHOLE_BYTES
        while data := self.read_some():
            size += len(data)
            if size > max_bytes:
                self.close()
                raise ProviderInvalidAnswer(
                    f"The provider's answer is longer than {max_bytes} bytes."
                )
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self, wait_seconds: float) -> None:
        """Close, but keep the connection if what ends the answer comes within ``wait_seconds``.

        For an answer that has said all that matters: what may still be wrong with it is ignored.
        """
        try:
            while self._connection is not None and self.read_some(wait_seconds):
                continue
        except (ProviderFailure, CallAborted):
            return
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection; in the middle of an answer that ends the upstream call."""
        self._let_go(keep=False)

    # The part of urllib3's response that requests.Response relies on.

    def stream(self, amt: int = 0, decode_content: bool = True) -> Iterator[bytes]:
        while data := self.read_some():
            yield data

    def read(self, amt: int | None = None, **_: Any) -> bytes:
        return self.read_some() or b""

    def _send(self, head: bytes, body: bytes) -> None:
        connection = self._held()
        self._call.attach(connection.raw_socket)
        connection.set_timeout(self._read_timeout_seconds)
        parts = [head + body] if len(body) <= _SMALL_BYTES else [head, body]
        try:
            for part in parts:
                connection.sock.sendall(part)
        except TimeoutError:
            raise ProviderTimeout("The provider took too long to read the request.") from None
        except OSError:
            # A server that refuses a body may answer and close before it has read it all, so
            # the answer is looked for all the same; if there is none, reading says so.
            return

    def _receive(self, wait_seconds: float | None) -> bool:
        """Feed the answer with what comes next; False if nothing came in ``wait_seconds``."""
        self._check_not_aborted()
        left = self._read_timeout_seconds - self._silent_seconds
        waits = left if wait_seconds is None else min(left, wait_seconds)
        connection = self._held()
        connection.set_timeout(waits)
        try:
            data = b"" if self._is_broken else connection.sock.recv(self._buffer_bytes)
        except TimeoutError:
            self._note_silence(waits)
            return False
        except OSError:
            self._end(clean=False)
            return True
        if data:
            if len(data) == self._buffer_bytes:
                data += self._rest(connection)
            is_flowing = len(data) >= self._waiting_bytes
            self._buffer_bytes = self._flowing_bytes if is_flowing else self._waiting_bytes
            self._silent_seconds = 0.0
            self._feed(data)
        else:
            self._end(clean=not self._is_broken)
        return True

    def _rest(self, connection: Connection) -> bytes:
        """What else has come: each piece that is handed on by itself has a price."""
        try:
            return connection.recv_now(self._flowing_bytes) or b""
        except OSError:
            self._is_broken = True  # to be told after what has come before it
            return b""

    def _feed(self, data: bytes) -> None:
        try:
            self.answer.feed(data)
        except ProviderInvalidAnswer:
            self.close()
            raise
        if self.answer.complete:
            self._let_go(keep=self.answer.keep_alive)

    def _check_not_aborted(self) -> None:
        try:
            self._call.check()
        except CallAborted:
            self.close()
            raise

    def _note_silence(self, seconds: float) -> None:
        self._check_not_aborted()
        self._silent_seconds += seconds
        if self._silent_seconds >= self._read_timeout_seconds:
            self.close()
            raise ProviderTimeout(
                f"The provider was silent for {self._read_timeout_seconds:g} seconds."
            )

    def _end(self, *, clean: bool) -> None:
        self.close()
        self._call.check()
        if clean and self.answer.feed_end():
            return
        if not self.answer.begun:
            raise ProviderUnreachable("The provider closed the connection without an answer.")
        raise ProviderInvalidAnswer("The provider cut its answer off before the end.")

    def _held(self) -> Connection:
        if self._connection is None:
            raise ProviderInvalidAnswer("The answer was closed before its end.")
        return self._connection

    def _let_go(self, *, keep: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._call.attach(None)
        if keep and self._call.reason is None:
            self._give_back(connection)
        else:
            connection.close()

    def _choose_decoding(self) -> None:
        for name, value in self.answer.headers:
            coding = value.decode("latin-1").strip().lower()
            if name == b"content-encoding" and coding not in ("", "identity"):
                self._decoding = Decoding(coding)

    def _take_decoded(self) -> bytes:
        data = self.answer.take_body()
        return self._decoding.feed(data) if self._decoding and data else data

    def _check_decoded(self) -> None:
        if self._decoding:
            self._decoding.check_ended()
