"""Posts events: the one place where a webhook's receiver is called."""

import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.poolmanager import PoolManager

from common.errors import CallAborted
from common.providers.base import UpstreamCall
from common.providers.dialling import Dialler
from common.providers.tls import trusted_certificates
from common.version import version
from common.webhooks.addresses import is_public

_LATE = "late"

Dial = Callable[[str, int], socket.socket]


class NotDelivered(Exception):
    """No answer came. ``reason`` is a word for the record; it holds neither URL nor secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender:
    """Posts to receivers nobody vouches for.

    A delivery takes ``timeout_seconds`` at most, all in all, once the receiver's name is looked
    up. Unless private addresses are allowed, each address is checked just before the connection
    is made to that very address: a name that leads elsewhere by then changes nothing. Redirects
    are not followed, proxies of the environment not used, and nothing of an answer's body is read.
    """

    def __init__(self, timeout_seconds: float, *, allow_private: bool) -> None:
        self.timeout_seconds = timeout_seconds
        self._allow_private = allow_private

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The status that the receiver answered. Raises NotDelivered."""
        call = UpstreamCall()
        dialler = Dialler(call, self.timeout_seconds, self._check)
        timer = threading.Timer(self.timeout_seconds, call.abort, [_LATE])
        timer.daemon = True
        timer.start()
        try:
            return self._exchange(dialler, url, body, headers)
        except (requests.RequestException, OSError, CallAborted) as error:
            raise NotDelivered(_reason(error, call)) from None
        finally:
            timer.cancel()
            dialler.let_go()

    def _exchange(self, dialler: Dialler, url: str, body: bytes, headers: dict[str, str]) -> int:
        with requests.Session() as session:
            session.trust_env = False
            session.mount(url.partition("://")[0] + "://", _GuardedAdapter(dialler.dial))
            response = session.post(
                url,
                data=body,
                headers={**_OURS, **headers},
                timeout=self.timeout_seconds,
                allow_redirects=False,
                stream=True,
                verify=str(trusted_certificates()),
            )
            response.close()
            return response.status_code

    def _check(self, address: str) -> None:
        if not self._allow_private and not is_public(address):
            raise NotDelivered("private_address")


_OURS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "connection": "close",
    "content-type": "application/json",
    "user-agent": f"muninn/{version()}",
}


class _Plain(HTTPConnection):
    def __init__(self, *args: Any, dial: Dial, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dial = dial

    # The one hook that urllib3 has for a socket of another making.
    def _new_conn(self) -> socket.socket:
        return self._dial(self._dns_host, self.port)


class _Secure(HTTPSConnection):
    def __init__(self, *args: Any, dial: Dial, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial(self._dns_host, self.port)


class _GuardedPools(PoolManager):
    """Pools whose connections are dialled by ``dial``."""

    def __init__(self, dial: Dial, **options: Any) -> None:
        super().__init__(**options)
        self._dial = dial

    def _new_pool(self, scheme: str, host: str, port: int, request_context: Any = None) -> Any:
        pool = super()._new_pool(scheme, host, port, request_context)
        kind = _Secure if scheme == "https" else _Plain
        pool.ConnectionCls = partial(kind, dial=self._dial)  # type: ignore[assignment]
        return pool


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: Any
    ) -> None:
        self.poolmanager = _GuardedPools(
            self._dial, num_pools=connections, maxsize=maxsize, block=block, **options
        )


def _reason(error: BaseException, call: UpstreamCall) -> str:
    if call.reason == _LATE or isinstance(error, requests.Timeout):
        return "timeout"
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls_failed"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "unknown_host"
    return "unreachable"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it wraps, as urllib3 and requests do: in ``reason`` or in ``args``."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            waiting += [cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
            waiting += cause.args
    return found
