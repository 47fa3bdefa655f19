"""Counts every request, on whichever way it goes through the app."""

from collections.abc import Callable, Iterable
from typing import Any

from api.request_log import ROUTE
from common.metrics.requests import RequestMetrics

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

# Of a path that there is not.
NO_ROUTE = "none"


class CountedRequests:
    """A WSGI application around another. The time of a request is that until its answer begins:
    what comes after depends on the client."""

    def __init__(self, app: WsgiApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked_at = self._metrics.asked()

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            route, method = environ.get(ROUTE, NO_ROUTE), environ["REQUEST_METHOD"]
            self._metrics.answered(route, method, int(status[:3]), asked_at)
            return start_response(status, headers, *more)

        return self._app(environ, start)
