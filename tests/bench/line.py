"""A non-blocking connection on an epoll loop: both ends of the benchmark are made of it."""

import select
import socket

RECEIVE_BYTES = 262_144


class Line:
    """One connection. What the kernel does not take at once is sent when it can be."""

    def __init__(self, sock: socket.socket, poll: select.epoll) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.fd = sock.fileno()
        self._poll = poll
        self._unsent = memoryview(b"")
        poll.register(self.fd, select.EPOLLIN)

    def send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent = memoryview(bytes(self._unsent) + data)
            return
        sent = self._try(memoryview(data))
        if sent < len(data):
            self._unsent = memoryview(data)[sent:]
            self._poll.modify(self.fd, select.EPOLLIN | select.EPOLLOUT)

    def send_more(self) -> None:
        """Go on sending; call it when the connection takes bytes again."""
        self._unsent = self._unsent[self._try(self._unsent) :]
        if not self._unsent:
            self._poll.modify(self.fd, select.EPOLLIN)

    def receive(self) -> bytes | None:
        """What came; b"" when the other end has left, None when there is nothing yet."""
        try:
            return self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        self.sock.close()

    def _try(self, data: memoryview) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the other end has left, as the next receive says
