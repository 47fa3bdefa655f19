"""Every request on its way in and out: its id, what is counted, and what is logged of it."""

import itertools
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import WSGIApplication

from api.headers import REQUEST_ID, given_request_id
from common.log_context import leave, start_afresh
from common.metrics.requests import RequestMetrics

log = logging.getLogger("muninn.access")

StartResponse = Callable[..., Any]

# Our id, on an answer that carries its provider's under the usual name.
OWN_REQUEST_ID = "x-muninn-request-id"
# Where the way through the app leaves the route that it took, in the WSGI environment.
ROUTE = "muninn.route"
# Of a path that there is not.
NO_ROUTE = "none"
# Asked every few seconds by what looks after us: a line each would be most of the log.
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

# Ids are numbered after a random beginning of this process: new randomness for each costs more.
_BEGINNING = f"req_{os.urandom(10).hex()}"
_NUMBERS = itertools.count(1)


def new_request_id() -> str:
    """An id that no other request has, of this process or another."""
    return f"{_BEGINNING}{next(_NUMBERS):012x}"


def route_name(path: str) -> str:
    """Flask's pattern of a path as logs and traces show it: ``/v1/responses/{response_id}``."""
    return _PARAMETER.sub(r"{\1}", path)


class RequestLog:
    """A WSGI application around another. With ``logs_all`` every request but a probe gets a line,
    else those alone that failed by no fault of their callers."""

    def __init__(self, app: WSGIApplication, metrics: RequestMetrics, *, logs_all: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._logs_all = logs_all

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        seen = _Request(environ, start_response, self._metrics)
        start_afresh(seen.fields)
        try:
            body = self._app(environ, seen.start_response)
            if not isinstance(body, list):
                return _Followed(body, seen, self._ended)
            self._ended(seen)
            return body
        finally:
            leave()

    def _ended(self, seen: "_Request") -> None:
        if seen.status >= 500 or (self._logs_all and not seen.is_probe):
            start_afresh(seen.fields)  # a stream may end in another thread
            seen.log()
            leave()


class _Request:
    """One request: what is known of it, and its answer's head as it goes out."""

    __slots__ = ("_asked_at", "_environ", "_metrics", "_start", "fields", "status")

    def __init__(
        self, environ: dict[str, Any], start: StartResponse, metrics: RequestMetrics
    ) -> None:
        self._environ = environ
        self._start = start
        self._metrics = metrics
        self._asked_at = metrics.asked()
        self.fields: dict[str, Any] = {"request_id": given_request_id(environ) or new_request_id()}
        self.status = 0

    def start_response(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        """Start the response with the request's id in it, beside the provider's if there is one.

        The time that is counted ends here: what comes after depends on the client.
        """
        self.status = int(status[:3])
        self._metrics.answered(
            self.route, self._environ["REQUEST_METHOD"], self.status, self._asked_at
        )
        request_id = self.fields["request_id"]
        for name, value in headers:
            if name == REQUEST_ID:
                if value != request_id:
                    headers.append((OWN_REQUEST_ID, request_id))
                break
        else:
            headers.append((REQUEST_ID, request_id))
        return self._start(status, headers, *more)

    @property
    def route(self) -> str:
        """The pattern of the path."""
        return str(self._environ.get(ROUTE, NO_ROUTE))

    @property
    def is_probe(self) -> bool:
        return self._environ["PATH_INFO"] in PROBES

    def log(self) -> None:
        level = logging.INFO if self.status < 500 else logging.WARNING
        log.log(
            level,
            "request: method=%s route=%s status=%d duration_ms=%.1f",
            self._environ["REQUEST_METHOD"],
            self.route,
            self.status,
            (time.perf_counter() - self._asked_at) * 1000,
        )


class _Followed:
    """A body that is sent piece by piece; the request is over when it is closed."""

    def __init__(
        self, body: Iterable[bytes], seen: _Request, on_end: Callable[[_Request], None]
    ) -> None:
        self._body = body
        self._seen = seen
        self._on_end = on_end
        self._is_over = False

    def __iter__(self) -> Iterator[bytes]:
        start_afresh(self._seen.fields)  # the server may send in another thread
        yield from self._body
        leave()

    def close(self) -> None:
        """Close the body, which ends what it comes from; once is enough."""
        if self._is_over:
            return
        self._is_over = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._on_end(self._seen)
