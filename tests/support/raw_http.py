"""HTTP written by hand, byte by byte, for what no client library would send."""

import json
import socket
from types import TracebackType
from typing import Any, Self

BODY = b'{"model":"echo/hello","input":"hi"}'


class RawClient:
    """One connection, as a context manager. What is sent is exactly what is given."""

    def __init__(
        self, port: int, *, receive_buffer: int | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.sock = socket.socket()
        self.sock.bind((address, 0))
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        self.sock.connect(("127.0.0.1", port))
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self) -> "RawAnswer":
        """The next answer on the connection, its length taken from its head."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in fields}
        body = self._exactly(int(headers.get("content-length", 0)))
        return RawAnswer(int(first.split(" ")[1]), headers, body)

    def is_closed(self) -> bool:
        """Whether the server closes the connection, without another byte, while one waits."""
        try:
            return not self._received and not self.sock.recv(1)
        except ConnectionResetError:
            return True

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        head, _, self._received = self._received.partition(end)
        return head

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        body, self._received = self._received[:size], self._received[size:]
        return body

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        assert data, f"the connection ended after {self._received!r}"
        self._received += data


class RawAnswer:
    """Status, headers (names in lower case) and body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    *headers: bytes,
    line: bytes = b"POST /v1/responses HTTP/1.1",
    body: bytes = BODY,
    length: int | None = -1,
) -> bytes:
    """A request; ``length`` -1 announces the body's own, None announces none."""
    lines = [line, b"Host: 127.0.0.1", *headers]
    if length is not None:
        lines.append(b"Content-Length: %d" % (len(body) if length == -1 else length))
    return b"\r\n".join([*lines, b"", body])


def ask(port: int, data: bytes) -> RawAnswer:
    """The answer to one request on a connection of its own."""
    with RawClient(port) as client:
        client.send(data)
        return client.answer()
