"""The routes for those who run the service."""

from api.openapi.route import BASE, HTML, JSON, TEXT, Answer, Route
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
            503: Answer("What `checks` names cannot be reached.", {JSON: Health}),
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
    Route(
        "get",
        "/metrics",
        "metrics",
        "operations",
        "What is counted, for Prometheus",
        {200: Answer("The metrics; in OpenMetrics' format where that is accepted.", {TEXT: None})},
        description="Where keys are needed, for admin keys; with `MUNINN_METRICS_TOKEN` set, for "
        "that token as well.",
        errors=(403,),
        samples={"Read": f"curl {BASE}/metrics"},
    ),
)
