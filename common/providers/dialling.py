"""Connecting a TCP socket in a way that another thread can abort."""

import socket
import time
from collections.abc import Callable

from common.providers.base import UpstreamCall

_OPTIONS: list[tuple[int, int, int]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]
if hasattr(socket, "TCP_KEEPIDLE"):
    # A model may think for minutes; without probes a NAT box forgets such a connection.
    _OPTIONS += [
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    ]


class Dialler:
    """Opens the socket of one call, and lets ``call.abort`` end that.

    A duplicate of the socket is attached to the call while it opens, because a TLS handshake
    takes the descriptor away from the socket it started with. ``check``, if given, is asked about
    each numeric address before it is connected to, and raises what shall end the dialling.
    """

    def __init__(
        self,
        call: UpstreamCall,
        timeout_seconds: float,
        check: Callable[[str], None] | None = None,
    ) -> None:
        self._check = check
        self._call = call
        self._timeout_seconds = timeout_seconds
        self._watched: socket.socket | None = None

    def dial(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of ``host`` that answers; raises OSError."""
        until = time.monotonic() + self._timeout_seconds
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failure: OSError = OSError("the name has no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            if self._check is not None:
                self._check(str(address[0]))
            share = (until - time.monotonic()) / (len(addresses) - number)
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address, max(share, 0.001))
            except OSError as error:
                sock.close()
                self._call.check()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                sock.settimeout(self._timeout_seconds)
                return sock
        raise failure

    def let_go(self) -> None:
        """Stop watching; the call has a connection, or failed to get one."""
        if self._watched is not None:
            self._call.attach(None)
            self._watched.close()
            self._watched = None

    def _connect(self, sock: socket.socket, address: tuple[object, ...], seconds: float) -> None:
        self.let_go()
        self._watched = sock.dup()
        self._call.attach(self._watched)
        for option in _OPTIONS:
            sock.setsockopt(*option)
        sock.settimeout(seconds)
        sock.connect(address)
