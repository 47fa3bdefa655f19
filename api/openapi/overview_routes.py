"""What goes on at a glance, and what was used."""

from api.openapi.route import BASE, JSON, Answer, Route
from common.schemas import Overview, UsagePage

OVERVIEW_ROUTES = (
    Route(
        "get",
        "/v1/async/overview",
        "overview",
        "operations",
        "Queue, workers and the last hour at a glance",
        {200: Answer("How it stands.", {JSON: Overview})},
        description="Where keys are needed, for admin keys.",
        errors=(403, 503),
        samples={"Look": f"curl {BASE}/v1/async/overview"},
    ),
    Route(
        "get",
        "/v1/usage",
        "usage",
        "operations",
        "What was used, by day and key",
        {200: Answer("The days, the oldest first.", {JSON: UsagePage})},
        description="The caller's own; for an admin key, and where no key is needed, that of all. "
        "Kept for 400 days.",
        parameters=("days",),
        errors=(400, 503),
        samples={"Read": f"curl '{BASE}/v1/usage?days=30'"},
    ),
)
