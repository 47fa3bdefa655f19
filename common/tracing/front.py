"""A span around each request that the front serves, by OpenTelemetry's own middleware."""

from collections.abc import Container, Iterable, Iterator
from functools import partial
from typing import Any
from wsgiref.types import WSGIApplication

from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.trace import Span

from common.log_context import note, noted
from common.tracing.spans import ids_of

# Where the app's body is kept, in the WSGI environment.
_BODY = "muninn.body"


class TracedFront:
    """A WSGI application around another, with spans named by the route, which it leaves in the
    WSGI environment under ``route_key``. Requests for the paths in ``untraced`` get none."""

    def __init__(self, app: WSGIApplication, route_key: str, untraced: Container[str]) -> None:
        self._app = app
        self._untraced = untraced
        self._traced: Any = OpenTelemetryMiddleware(
            self._keeping_body, response_hook=partial(_on_answer, route_key)
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] in self._untraced:
            return self._app(environ, start_response)
        return _Closing(self._traced(environ, start_response), environ)

    def _keeping_body(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ[_BODY] = self._app(environ, start_response)
        return body


class _Closing:
    """The middleware's body. It is a generator, and closing one that was not begun yet closes
    nothing: the call behind a stream would stay open."""

    def __init__(self, body: Any, environ: dict[str, Any]) -> None:
        self._body = body
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close both; what is closed already does not mind."""
        self._body.close()
        close = getattr(self._environ.get(_BODY), "close", None)
        if close is not None:
            close()


def _on_answer(
    route_key: str, span: Span, environ: dict[str, Any], status: str, headers: Any
) -> None:
    route = environ.get(route_key)
    if route is not None:
        span.update_name(f"{environ['REQUEST_METHOD']} {route}")
        span.set_attribute("http.route", route)
    for name in ("request_id", "job_id", "key"):
        if (value := noted().get(name)) is not None:
            span.set_attribute(f"muninn.{name}", str(value))
    note(**ids_of(span))  # the line of the request may be written after its span has ended
