"""The connections of this process' clients, as the kernel knows them; Linux alone tells.

The server under the front bounds neither how long a body may take nor how long an answer may wait
to be read, and hands out no socket. But they are this process' own file descriptors.
"""

import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

IS_SUPPORTED = sys.platform == "linux"

_DESCRIPTORS = Path("/proc/self/fd")
# Where `struct tcp_info` has the milliseconds since the last data went and came; before any did,
# since the connection was made.
_INFO_BYTES, _LAST_DATA_SENT, _LAST_DATA_RECEIVED = 104, 44, 52
# Between a look at the clock and one at a socket, or they tell nothing about each other.
_AT_ONCE_SECONDS = 0.002


class ClientSocket(NamedTuple):
    """A client's connection: its descriptor, who is at the other end, and when
    (``time.monotonic()``) it last brought data and was last sent some, or else was made."""

    descriptor: int
    peer: Any
    heard_at: float
    answered_at: float

    @property
    def address(self) -> str:
        return str(self.peer[0])

    def hang_up(self) -> None:
        """Let the server see the end of what the client sends; it can still be answered."""
        with contextlib.suppress(OSError), _duplicate(self.descriptor) as sock:
            if sock.getpeername() == self.peer:  # else the descriptor is another's by now
                sock.shutdown(socket.SHUT_RD)


def bound_unread_answers(port: int, seconds: float) -> bool:
    """Have the kernel end each connection, from now on, whose client takes nothing of what waits
    for it for so long. False while nothing listens on the port yet."""
    is_found = False
    for _, sock in _sockets():
        if _is_listening(sock) and sock.getsockname()[1] == port:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))
            is_found = True
    return is_found


def client_sockets(port: int) -> list[ClientSocket]:
    """The connections that were made to the port."""
    found: list[ClientSocket] = []
    for descriptor, sock in _sockets():
        with contextlib.suppress(OSError):
            if not _is_listening(sock) and sock.getsockname()[1] == port:
                found.append(ClientSocket(descriptor, sock.getpeername(), *_times(sock)))
    return found


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """All TCP sockets: their descriptors, and duplicates that last until the next is asked for."""
    for name in os.listdir(_DESCRIPTORS):
        try:
            sock = _duplicate(int(name))
        except OSError:
            continue  # closed by now, or no socket
        with sock:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                yield int(name), sock


def _duplicate(descriptor: int) -> socket.socket:
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def _is_listening(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _times(sock: socket.socket) -> tuple[float, float]:
    """When data last came, and when some was last sent."""
    before = 0.0
    while (now := time.monotonic()) - before > _AT_ONCE_SECONDS:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        before = now
    (sent_ms,) = struct.unpack_from("I", info, _LAST_DATA_SENT)
    (silent_ms,) = struct.unpack_from("I", info, _LAST_DATA_RECEIVED)
    return now - silent_ms / 1000, now - sent_ms / 1000
