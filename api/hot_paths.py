"""The short way for the routes that are called all the time.

Flask's dispatch costs more than all that the gateway does for a request. So the two paths that
make up nearly all traffic, create and retrieve, are looked up here first; everything else goes the
ordinary way. The handlers are the same.
"""

from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any
from wsgiref.types import WSGIApplication

from api import responses
from api.errors import error_reply
from api.incoming import Incoming
from api.reply import GUARDS, Reply
from api.request_log import ROUTE
from common.bootstrap import Services

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class HotPaths:
    """A WSGI application in front of another that answers what it does not know."""

    def __init__(self, app: WSGIApplication, services: Services, prefixes: Iterable[str]) -> None:
        self._app = app
        self._services = services
        self._create = {f"{prefix}/responses" for prefix in prefixes}
        self._retrieve = {path: f"{path}/{{response_id}}" for path in self._create}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        handler = self._handler(environ)
        if handler is None:
            return self._app(environ, start_response)
        try:
            reply = handler(self._services, Incoming(environ))
        except Exception as error:  # noqa: BLE001  # the boundary: whatever it is becomes JSON
            self._services.metrics.requests.refused(error)
            reply = error_reply(error)
        return send(reply, start_response)

    def _handler(self, environ: dict[str, Any]) -> Callable[[Services, Incoming], Reply] | None:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if method == "POST" and path in self._create:
            environ[ROUTE] = path
            return responses.create
        if method == "GET":
            parent, _, response_id = path.rpartition("/")
            # Beyond ASCII Flask knows how WSGI writes it.
            if parent in self._create and response_id and response_id.isascii():
                environ[ROUTE] = self._retrieve[parent]
                return partial(responses.retrieve, response_id=response_id)
        return None


def send(reply: Reply, start_response: Any) -> Iterable[bytes]:
    """Start the response and return its body, as a WSGI application does."""
    headers = [("content-type", reply.content_type), *(GUARDS | reply.headers).items()]
    if isinstance(reply.body, bytes):
        headers.append(("content-length", str(len(reply.body))))
        body: Iterable[bytes] = [reply.body]
    else:
        body = reply.body
    start_response(_STATUS_LINES.get(reply.status, str(reply.status)), headers)
    return body
