"""Opening connections: TCP, TLS and proxies are urllib3's work, errors become ours here."""

import select
import socket
import ssl
import time
from http.client import HTTPException
from ssl import SSLWantReadError, SSLWantWriteError
from typing import NamedTuple

from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError
from urllib3.util import Url, make_headers, parse_url
from urllib3.util.ssltransport import SSLTransport

from common.errors import ProviderConnectTimeout, ProviderUnreachable
from common.providers.base import UpstreamCall
from common.providers.dialling import Dialler
from common.providers.tls import trusted_certificates, verifying_context


class Origin(NamedTuple):
    """Where a connection leads; connections to one origin may stand in for each other."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Connection:
    """An open keep-alive connection to an origin.

    ``forwarding`` holds the extra headers for a proxy that wants the whole URL in the request
    line; it is None where requests go to the origin itself (or through a tunnel).
    """

    def __init__(
        self, http: HTTPConnection, origin: Origin, forwarding: dict[str, str] | None
    ) -> None:
        self.origin = origin
        self.forwarding = forwarding
        self.idle_since = 0.0
        self.sock: socket.socket = http.sock
        self._http = http
        self._timeout_seconds: float | None = None
        self._poll = select.poll()
        self._poll.register(http.sock.fileno(), select.POLLIN)

    @property
    def raw_socket(self) -> socket.socket:
        """The socket to shut down on abort: below TLS inside TLS it is another one."""
        sock: object = self.sock
        return sock.socket if isinstance(sock, SSLTransport) else self.sock

    def set_timeout(self, seconds: float) -> None:
        if seconds != self._timeout_seconds:
            self.sock.settimeout(seconds)
            self._timeout_seconds = seconds

    def recv_now(self, size: int) -> bytes | None:
        """What has come already, b"" at the end, None if there is nothing."""
        self.set_timeout(0.0)
        try:
            return self.sock.recv(size)
        except (BlockingIOError, SSLWantReadError, SSLWantWriteError):
            return None

    def is_reusable(self, max_idle_seconds: float) -> bool:
        """Whether it rests quietly: anything to read now is a farewell of the server."""
        young = time.monotonic() - self.idle_since < max_idle_seconds
        return young and not self._poll.poll(0)

    def close(self) -> None:
        self._http.close()


class _Plain(HTTPConnection):
    dialler: Dialler

    def _new_conn(self) -> socket.socket:
        return self.dialler.dial(self._dns_host, self.port)


class _Secure(HTTPSConnection):
    dialler: Dialler

    # The one hook that urllib3 has for a socket of another making; its SOCKS support uses it too.
    def _new_conn(self) -> socket.socket:
        return self.dialler.dial(self._dns_host, self.port)


def open_connection(origin: Origin, call: UpstreamCall, timeout_seconds: float) -> Connection:
    """Connect to ``origin``, through the proxy that the environment names for it, if any.

    Raises ProviderConnectTimeout, ProviderUnreachable, or CallAborted after ``call.abort``.
    """
    proxy = _proxy_of(origin)
    dialler = Dialler(call, timeout_seconds)
    place = f"{origin} through the proxy {proxy.host}:{proxy.port}" if proxy else str(origin)
    try:
        http = _connected(_new_connection(origin, proxy), dialler)
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        call.check()
        raise _failure(place, error) from None
    finally:
        dialler.let_go()
    tunnelled = origin.scheme == "https"
    return Connection(http, origin, None if tunnelled or not proxy else _authorization(proxy))


def _connected(http: "_Plain | _Secure", dialler: Dialler) -> HTTPConnection:
    http.dialler = dialler
    try:
        http.connect()
    except BaseException:
        http.close()
        raise
    return http


def _new_connection(origin: Origin, proxy: Url | None) -> _Plain | _Secure:
    secure = origin.scheme == "https"
    if proxy is None:
        return _connection(secure, origin.host, origin.port)
    through_tls = proxy.scheme == "https"
    http = _connection(secure or through_tls, proxy.host or "", proxy.port or 8080, proxy)
    if secure:
        headers = _authorization(proxy)
        http.set_tunnel(origin.host, origin.port, headers, scheme=proxy.scheme or "http")
    return http


def _connection(secure: bool, host: str, port: int, proxy: Url | None = None) -> _Plain | _Secure:
    if not secure:
        return _Plain(host, port, proxy=proxy)
    context = verifying_context(trusted_certificates())
    config = ProxyConfig(context, False, None, None) if proxy else None
    return _Secure(host, port, proxy=proxy, proxy_config=config, ssl_context=context)


def _proxy_of(origin: Origin) -> Url | None:
    """The environment's proxy for ``origin``, NO_PROXY respected."""
    url = str(origin)
    chosen = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    if not chosen:
        return None
    proxy = parse_url(chosen if "://" in chosen else f"http://{chosen}")
    if proxy.scheme not in ("http", "https"):
        raise ProviderUnreachable(f"A proxy of the kind {proxy.scheme} is not supported.")
    return proxy._replace(port=proxy.port or (443 if proxy.scheme == "https" else 80))


def _authorization(proxy: Url) -> dict[str, str]:
    user, password = get_auth_from_url(proxy.url)
    return make_headers(proxy_basic_auth=f"{user}:{password}") if user else {}


def _failure(place: str, error: Exception) -> ProviderConnectTimeout | ProviderUnreachable:
    if isinstance(error, TimeoutError):
        return ProviderConnectTimeout(f"Connecting to {place} took too long.")
    return ProviderUnreachable(f"Cannot connect to {place}: {_reason(error)}.")


def _reason(error: Exception) -> str:
    """Why, in words that hold neither a URL nor a credential."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the connection ended'}"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    if isinstance(error, OSError):
        return error.strerror.lower() if error.strerror else str(error) or type(error).__name__
    return type(error).__name__
