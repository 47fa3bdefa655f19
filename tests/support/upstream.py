"""An HTTP server that answers as it is told to, however badly.

Real sockets on loopback, a thread per connection. What it does is a script, one step per request
(the last one is repeated). A step is a sequence of pieces, done in order:

* bytes are sent, a float is slept (seconds), a threading.Event is waited for;
* HOLD waits until the client leaves, CUT closes the connection, RESET resets it;
* a callable gets the ``Peer`` and the ``Seen`` request and may do anything.

After a step the connection waits for its next request.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

_PATIENCE_SECONDS = 30.0


class End(Enum):
    HOLD = "wait until the client leaves"
    CUT = "close the connection"
    RESET = "reset the connection"


HOLD, CUT, RESET = End.HOLD, End.CUT, End.RESET


@dataclass
class Seen:
    """A request as it came. ``left`` is set when its connection was closed by the client."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    head: bytes
    connection: int
    left: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.open = True
        self.was_cut = False
        self._received = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hold(self) -> None:
        """Wait until the client leaves; what it sends meanwhile is kept."""
        while data := self.sock.recv(65536):
            self._received += data
        self.open = False

    def cut(self) -> None:
        self.open, self.was_cut = False, True
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def read_request(self) -> Seen | None:
        """The next request; None when the client has left."""
        head = self._read_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in map(_field, lines)}
        body = self._read(int(headers.get("content-length", 0)))
        return None if body is None else Seen(method, target, headers, body, head, self.number)

    def _read_until(self, end: bytes) -> bytes | None:
        while end not in self._received:
            if not self._receive():
                return None
        head, _, self._received = self._received.partition(end)
        return head

    def _read(self, size: int) -> bytes | None:
        while len(self._received) < size:
            if not self._receive():
                return None
        body, self._received = self._received[:size], self._received[size:]
        return body

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        self._received += data
        return bool(data)


Handler = Callable[[Peer, Seen], None]
Piece = bytes | float | threading.Event | End | Handler
Step = Piece | list[Piece] | tuple[Piece, ...]


class Upstream:
    """The server, as a context manager: ``with Upstream(json_answer({...})) as upstream``.

    ``seen`` are the requests in the order of their arrival; ``connections`` counts those accepted.
    With ``tls``, a server-side context, it speaks HTTPS under the name ``localhost``.
    """

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None) -> None:
        self.script: list[Step] = list(script)
        self.seen: list[Seen] = []
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._stopping = False
        self._open: dict[int, socket.socket] = {}
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        """Up to the port; without a slash at the end."""
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    def wait_for_requests(self, count: int) -> Seen:
        """The ``count``-th request, as soon as it has come whole."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.seen) >= count, _PATIENCE_SECONDS)
        assert came, f"only {len(self.seen)} of {count} requests came"
        return self.seen[count - 1]

    def close_idle(self) -> None:
        """Close all connections from the server's side, as a keep-alive timeout does."""
        with self._changed:
            for sock in self._open.values():
                _shut_down(sock)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        _shut_down(self._listener)
        self._listener.close()
        self.close_idle()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)
            assert not thread.is_alive(), "a thread of the upstream server hangs"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(
                target=self._serve, args=(sock, self.connections), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        peer = Peer(sock, number)
        requests: list[Seen] = []
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                peer.sock = self._wrapped(sock)
            self._remember(peer)
            if isinstance(peer.sock, ssl.SSLSocket):
                peer.sock.do_handshake()
            self._converse(peer, requests)
        except OSError:
            pass  # the client is gone, or does not trust our certificate
        finally:
            self._forget(peer, requests)

    def _wrapped(self, sock: socket.socket) -> ssl.SSLSocket:
        assert self._tls
        return self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)

    def _remember(self, peer: Peer) -> None:
        with self._changed:
            self._open[peer.number] = peer.sock
        if self._stopping:
            _shut_down(peer.sock)

    def _forget(self, peer: Peer, requests: list[Seen]) -> None:
        with self._changed:
            self._open.pop(peer.number, None)
        peer.sock.close()
        for seen in requests:
            if not peer.was_cut and not self._stopping:
                seen.left.set()

    def _converse(self, peer: Peer, requests: list[Seen]) -> None:
        while peer.open and (seen := peer.read_request()):
            requests.append(seen)
            with self._changed:
                step = self.script[min(len(self.seen), len(self.script) - 1)]
                self.seen.append(seen)
                self._changed.notify_all()
            for piece in step if isinstance(step, list | tuple) else [step]:
                self._do(piece, peer, seen)

    def _do(self, piece: Any, peer: Peer, seen: Seen) -> None:
        if isinstance(piece, bytes):
            peer.send(piece)
        elif isinstance(piece, int | float):
            threading.Event().wait(piece)
        elif isinstance(piece, threading.Event):
            assert piece.wait(_PATIENCE_SECONDS), "the event of the script never came"
        elif isinstance(piece, End):
            {HOLD: peer.hold, CUT: peer.cut, RESET: peer.reset}[piece]()
        else:
            piece(peer, seen)


def answer(
    body: bytes = b"", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole answer with a content-length."""
    return head({"content-length": str(len(body)), **(headers or {})}, status=status) + body


def head(headers: Mapping[str, str] | None = None, *, status: int = 200) -> bytes:
    """The head of an answer alone."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Odd"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def json_answer(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    kind = {"content-type": "application/json"}
    return answer(json.dumps(value).encode(), status=status, headers={**kind, **(headers or {})})


def html_answer(page: str, *, status: int = 200) -> bytes:
    return answer(page.encode(), status=status, headers={"content-type": "text/html"})


def gzip_answer(value: Any) -> bytes:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    return answer(gzip.compress(json.dumps(value).encode()), headers=headers)


def chunk(data: bytes) -> bytes:
    """A chunk of the chunked transfer coding; an empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(*parts: bytes, headers: Mapping[str, str] | None = None) -> list[Piece]:
    """A whole answer, each part its own chunk and its own packet."""
    begin = head({"transfer-encoding": "chunked", **(headers or {})})
    return [begin, *(chunk(part) for part in parts), chunk(b"")]


def sse_head(headers: Mapping[str, str] | None = None) -> bytes:
    kind = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    return head({**kind, **(headers or {})})


def event(value: Mapping[str, Any], *, named: bool = True) -> bytes:
    """One event in a chunk of its own."""
    name = f"event: {value['type']}\n" if named else ""
    return chunk(f"{name}data: {json.dumps(value)}\n\n".encode())


def sse_answer(events: Iterable[Mapping[str, Any]], *, named: bool = True) -> list[Piece]:
    """A whole stream."""
    return [sse_head(), *(event(each, named=named) for each in events), chunk(b"")]


def _field(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _shut_down(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # not connected any more
