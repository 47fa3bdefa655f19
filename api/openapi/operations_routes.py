"""The routes for those who run the service."""

from api.openapi.route import HTML, JSON, Answer, Route
from common.schemas import Health, Version

OPERATIONS_ROUTES = (
    Route(
        "get",
        "/healthz",
        "health",
        "operations",
        "Whether the process lives",
        {200: Answer("It does.", {JSON: Health})},
        is_public=True,
    ),
    Route(
        "get",
        "/readyz",
        "readiness",
        "operations",
        "Whether jobs can be taken",
        {
            200: Answer("They can.", {JSON: Health}),
            503: Answer("The job store cannot be reached.", {JSON: Health}),
        },
        is_public=True,
    ),
    Route(
        "get",
        "/version",
        "version",
        "operations",
        "What is running",
        {200: Answer("The version.", {JSON: Version})},
        is_public=True,
    ),
    Route(
        "get",
        "/openapi.json",
        "openapi",
        "operations",
        "This description",
        {200: Answer("OpenAPI 3.1.", {JSON: None})},
        is_public=True,
    ),
    Route(
        "get",
        "/docs",
        "docs",
        "operations",
        "This description, for people",
        {200: Answer("A page.", {HTML: None})},
        is_public=True,
    ),
)
