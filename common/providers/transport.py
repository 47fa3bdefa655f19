"""Upstream HTTP calls: a transport adapter for ``requests`` that costs little and can be aborted.

requests' own adapter spends three times the processor time per call, cannot be woken by another
thread, and does not tell whether a dead connection had brought a byte of answer.
"""

from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidHeader, InvalidURL
from requests.structures import CaseInsensitiveDict

from common.errors import ProviderUnreachable
from common.providers.base import UpstreamCall
from common.providers.connections import Connection, Origin, open_connection
from common.providers.exchange import Exchange
from common.providers.pool import ConnectionPool

DEFAULT_CONNECT_SECONDS = 10.0
DEFAULT_READ_SECONDS = 600.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UpstreamRequest(requests.PreparedRequest):
    """A prepared request that belongs to a call which any thread may abort."""

    def __init__(self, call: UpstreamCall | None = None) -> None:
        super().__init__()
        self.call = call or UpstreamCall()


class LeanAdapter(BaseAdapter):
    """Sends prepared requests over pooled keep-alive connections. Redirects are not followed.

    ``timeout`` is ``(connect, longest silence)`` in seconds. The environment decides on proxies
    and trusted certificates; ``verify``, ``cert`` and ``proxies`` are not looked at. The body is
    bytes or text. The response's ``raw`` is an ``Exchange``; closing the response before its end
    closes the connection.

    Raises the ProviderFailure errors of ``open_connection`` and ``Exchange``, and CallAborted.
    """

    def __init__(self, pool: ConnectionPool | None = None) -> None:
        super().__init__()
        self._pool = pool or ConnectionPool()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        connect_seconds, read_seconds = _seconds(timeout)
        call = request.call if isinstance(request, UpstreamRequest) else UpstreamCall()
        call.check()
        place = _place_of(request.url or "")
        exchange = self._on_idle_connection(request, place, call, read_seconds)
        if exchange is None:
            connection = open_connection(place.origin, call, connect_seconds)
            exchange = self._exchange(connection, request, place, call, read_seconds)
        return _response(request, exchange)

    def close(self) -> None:
        self._pool.close()

    def _on_idle_connection(
        self, request: requests.PreparedRequest, place: "_Place", call: UpstreamCall, seconds: float
    ) -> Exchange | None:
        connection = self._pool.take(place.origin)
        if connection is None:
            return None
        try:
            return self._exchange(connection, request, place, call, seconds)
        except ProviderUnreachable:
            return None  # the server had closed it in the meantime, without a byte of answer

    def _exchange(
        self,
        connection: Connection,
        request: requests.PreparedRequest,
        place: "_Place",
        call: UpstreamCall,
        read_seconds: float,
    ) -> Exchange:
        exchange = Exchange(connection, call, read_seconds, self._pool.give)
        try:
            body = _body_of(request)
            exchange.begin(_head_of(request, place, connection, len(body)), body)
        except BaseException:
            exchange.close()
            raise
        return exchange


def upstream_session() -> requests.Session:
    """A session whose calls go through one LeanAdapter; whoever makes it closes it."""
    session = requests.Session()
    session.trust_env = False  # the adapter asks the environment itself, once per connection
    adapter = LeanAdapter()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Place(NamedTuple):
    origin: Origin
    host_header: str
    target: str


@lru_cache(maxsize=1024)
def _place_of(url: str) -> _Place:
    """Where a URL leads, without the credentials it may hold."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise InvalidURL("the URL of a provider must be http:// or https:// and name a host")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host_header = parts.netloc.rpartition("@")[2]
    return _Place(Origin(parts.scheme, parts.hostname, port), host_header, target)


def _head_of(
    request: requests.PreparedRequest, place: _Place, connection: Connection, body_bytes: int
) -> bytes:
    target = place.target
    fields = [f"{name}: {value}" for name, value in _fields(request)]
    if connection.forwarding is not None:
        target = f"http://{place.host_header}{target}"
        fields += [f"{name}: {value}" for name, value in connection.forwarding.items()]
    first = [f"{request.method} {target} HTTP/1.1", f"host: {place.host_header}"]
    lines = [*first, *fields, f"content-length: {body_bytes}"]
    if any("\r" in line or "\n" in line for line in lines):
        raise InvalidHeader("a header of the request to the provider holds a line end")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _fields(request: requests.PreparedRequest) -> list[tuple[str, str]]:
    ours = ("content-length", "host", "transfer-encoding")
    return [
        (name, _text(value)) for name, value in request.headers.items() if name.lower() not in ours
    ]


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _body_of(request: requests.PreparedRequest) -> bytes:
    body = request.body
    if isinstance(body, str):
        return body.encode()
    if body is None:
        return b""
    return body


def _seconds(timeout: Any) -> tuple[float, float]:
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return connect or DEFAULT_CONNECT_SECONDS, read or DEFAULT_READ_SECONDS


def _response(request: requests.PreparedRequest, exchange: Exchange) -> requests.Response:
    response = requests.Response()
    response.status_code = exchange.answer.status
    response.reason = exchange.answer.reason.decode("latin-1")
    response.headers = _headers(exchange.answer.headers)
    response.raw = exchange
    response.request = request
    response.url = request.url or ""
    return response


def _headers(pairs: list[tuple[bytes, bytes]]) -> CaseInsensitiveDict[str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return CaseInsensitiveDict(headers)
