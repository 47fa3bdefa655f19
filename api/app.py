"""The Flask app: which path and method goes to which handler, and nothing else."""

from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as FlaskMethodNotAllowed
from werkzeug.routing import PathConverter

from api import (
    batches,
    health,
    input_items,
    jobs,
    metrics,
    overview,
    responses,
    retrying,
    ui_pages,
    usage,
    webhooks,
)
from api.auth import identify
from api.documentation import docs_page, openapi_document
from api.errors import error_reply
from api.hot_paths import HotPaths
from api.incoming import Incoming
from api.reply import GUARDS, Reply
from api.request_log import PROBES, ROUTE, RequestLog, route_name
from common.bootstrap import Services
from common.errors import InvalidValue, MethodNotAllowed, RouteNotFound
from common.tracing import traced_front

Handler = Callable[..., Reply]

# One set of handlers at every place that an OpenAI SDK's base_url may point to.
PREFIXES = ("/openai/v1", "/openai", "/v1")


class ResponseId(PathConverter):
    """An id in a path. A provider's may have slashes, and servers decode them; what ends like
    another route is that route, and has its methods alone."""

    regex = r"[^/].*?(?<!/cancel)(?<!/input_items)"


RESPONSES_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/responses", responses.create),
    ("GET", "/responses/<id:response_id>", responses.retrieve),
    ("DELETE", "/responses/<id:response_id>", responses.delete),
    ("POST", "/responses/<id:response_id>/cancel", responses.cancel),
    ("GET", "/responses/<id:response_id>/input_items", input_items.list_items),
]

ENVELOPE_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v1/async/responses", jobs.submit),
    ("GET", "/v1/async/responses", jobs.list_page),
    ("POST", "/v1/async/responses/batch", batches.submit),
    ("GET", "/v1/async/responses/batch/<batch_id>", batches.show),
    ("GET", "/v1/async/responses/batch/<batch_id>/items", batches.list_items),
    ("POST", "/v1/async/responses/batch/<batch_id>/cancel", batches.cancel),
    ("GET", "/v1/async/responses/<job_id>", jobs.poll),
    ("POST", "/v1/async/responses/<job_id>/cancel", jobs.cancel),
    ("DELETE", "/v1/async/responses/<job_id>", jobs.delete),
    ("POST", "/v1/async/responses/<job_id>/webhook", webhooks.redeliver),
    ("GET", "/v1/async/responses/<job_id>/request", retrying.show_request),
    ("POST", "/v1/async/responses/<job_id>/retry", retrying.retry),
]

OPERATIONS_ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/healthz", health.alive),
    ("GET", "/readyz", health.ready),
    ("GET", "/version", health.version),
    ("GET", "/openapi.json", openapi_document),
    ("GET", "/docs", docs_page),
    ("GET", "/metrics", metrics.show),
    ("GET", "/v1/async/overview", overview.show),
    ("GET", "/v1/usage", usage.show),
]

# For browsers alone; not part of what programs are told of.
UI_ROUTES: list[tuple[str, str, Handler]] = ui_pages.routes()

# Everything else is asked for a key before its handler is even called.
PAGE_PATHS = frozenset(path for _, path, _ in UI_ROUTES)
PUBLIC = PAGE_PATHS | frozenset({"/healthz", "/readyz", "/version", "/openapi.json", "/docs"})
# Asks by itself, for its own token is good too.
ASKS_BY_ITSELF = frozenset({"/metrics"})


def create_app(services: Services) -> Flask:
    """The front, on these services."""
    app = Flask("muninn", static_folder=None)
    # A doubled slash is an unknown path: for it too a redirect would come as HTML.
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = ResponseId
    for prefix in PREFIXES:
        for method, path, handler in RESPONSES_ROUTES:
            _add(app, services, method, prefix + path, handler)
    for method, path, handler in (*ENVELOPE_ROUTES, *OPERATIONS_ROUTES, *UI_ROUTES):
        _add(app, services, method, path, handler)
    app.register_error_handler(Exception, partial(_failed, services))
    hot_paths = HotPaths(app.wsgi_app, services, PREFIXES)
    front = RequestLog(hot_paths, services.metrics.requests, logs_all=services.settings.access_log)
    traced = traced_front(front, route_key=ROUTE, untraced=PROBES)
    app.wsgi_app = traced  # type: ignore[method-assign, assignment]
    return app


def _add(app: Flask, services: Services, method: str, path: str, handler: Handler) -> None:
    is_public, route = path in PUBLIC | ASKS_BY_ITSELF, route_name(path)
    view = partial(_view, services, handler, is_public=is_public, route=route)
    # A trailing slash is forgiven: a redirect would turn an SDK's POST into a GET.
    app.add_url_rule(path, f"{method} {path}", view, methods=[method], strict_slashes=False)


def _view(
    services: Services, handler: Handler, is_public: bool, route: str, **arguments: str
) -> Response:
    request.environ[ROUTE] = route
    incoming = Incoming(request.environ)
    if not is_public:
        identify(services, incoming)
    return _to_flask(handler(services, incoming, **arguments))


def _to_flask(reply: Reply) -> Response:
    return Response(
        reply.body,
        status=reply.status,
        headers=GUARDS | reply.headers,
        content_type=reply.content_type,
        direct_passthrough=not isinstance(reply.body, bytes),
    )


def _failed(services: Services, error: Exception) -> Response:
    services.metrics.requests.refused(error)
    response = _to_flask(error_reply(_ours(error)))
    if isinstance(error, FlaskMethodNotAllowed) and error.valid_methods:
        response.headers["allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _ours(error: Exception) -> Exception:
    """Flask's own exceptions in our words."""
    if not isinstance(error, HTTPException):
        return error
    if error.code == 404:
        return RouteNotFound("There is nothing at this path; see /docs.")
    if error.code == 405:
        return MethodNotAllowed("This path does not take this method; see /docs.")
    return InvalidValue(str(error.description or error.name))
