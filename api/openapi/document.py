"""The service's description, OpenAPI 3.1: tables of routes, parameters and errors, put together.

What the document says of bodies comes from ``common.schemas`` and from nowhere else.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from api.headers import REQUEST_ID
from api.openapi.answer_headers import HEADERS, LIMIT_HEADERS
from api.openapi.failures import ERRORS, SAY_WHEN_TO_RETRY
from api.openapi.parameters import PARAMETERS
from api.openapi.route import JSON, Answer, Route
from api.openapi.routes import ROUTES, TAGS
from api.openapi.security import ANY_OF_THEM, FORBIDDEN, SCHEMES, UNAUTHENTICATED
from api.request_log import OWN_REQUEST_ID
from common.schemas import ErrorBody
from common.schemas.json_schema import json_schemas

_REF = "#/components/{kind}/{name}"

ABOUT = """A durable async layer for LLM calls: OpenAI's Responses API in front, workers behind.

Every `/openai/v1/...` route also answers without `/v1` (`/openai/responses`) and at the plain
root (`/v1/responses`), so an OpenAI SDK may use any of `/openai/v1`, `/openai` or `/v1` as its
base URL. Fields that are not listed here pass through, in both directions."""


def build_openapi(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document; ``version`` is the service's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Muninn",
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _paths(),
        "components": {
            "schemas": json_schemas(_models(), _REF.format(kind="schemas", name="{model}")),
            "securitySchemes": SCHEMES,
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": {f"Error{status}": _error(status) for status in ERRORS}
            | {"ProviderError": _failure("The provider's own error, with its status.")},
        },
    }


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return paths


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "responses": _responses(route),
    }
    if not route.is_public:
        operation["security"] = ANY_OF_THEM
    if route.description:
        operation["description"] = route.description
    if route.parameters:
        operation["parameters"] = [_ref("parameters", name) for name in route.parameters]
    if route.body:
        operation["requestBody"] = {"content": _content({JSON: route.body})}
    if route.samples:
        operation["x-codeSamples"] = [
            {"lang": "Shell", "label": label, "source": source}
            for label, source in route.samples.items()
        ]
    return operation


def _responses(route: Route) -> dict[str, Any]:
    more = (OWN_REQUEST_ID, *LIMIT_HEADERS) if route.body else ()
    responses = {str(status): _answer(answer, more) for status, answer in route.answers.items()}
    for status in _errors(route):
        responses[str(status)] = _ref("responses", f"Error{status}")
    if route.body:
        responses["default"] = _ref("responses", "ProviderError")
    return responses


def _errors(route: Route) -> list[int]:
    of_keys = [] if route.is_public else [UNAUTHENTICATED, FORBIDDEN]
    return sorted({*route.errors, *of_keys})


def _answer(answer: Answer, more: tuple[str, ...] = ()) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.description,
        "content": _content(answer.content),
    }
    headers = (*answer.headers, *more, REQUEST_ID)
    described["headers"] = {name: _ref("headers", name) for name in headers}
    return described


def _error(status: int) -> dict[str, Any]:
    headers = ("Retry-After",) if status in SAY_WHEN_TO_RETRY else ()
    return _failure(ERRORS[status], headers)


def _failure(description: str, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    return _answer(Answer(description, {JSON: ErrorBody}, headers))


def _content(models: dict[str, type[BaseModel] | None]) -> dict[str, Any]:
    return {media: {"schema": _schema_of(media, model)} for media, model in models.items()}


def _schema_of(media: str, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is not None:
        return _ref("schemas", model.__name__)
    return {"type": "object" if media == JSON else "string"}


def _ref(kind: str, name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(kind=kind, name=name)}


def _models() -> Iterator[type[BaseModel]]:
    yield ErrorBody
    for route in ROUTES:
        if route.body:
            yield route.body
        for answer in route.answers.values():
            yield from (model for model in answer.content.values() if model)
