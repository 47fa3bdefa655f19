"""The routes that are described: a new one is one more row, and its row names its models."""

from api.openapi.batch_routes import BATCH_ROUTES
from api.openapi.envelope_routes import ENVELOPE_ROUTES
from api.openapi.operations_routes import OPERATIONS_ROUTES
from api.openapi.overview_routes import OVERVIEW_ROUTES
from api.openapi.responses_routes import RESPONSES_ROUTES
from api.openapi.route import Route

TAGS = {
    "responses": "Create responses, at once, as a stream or as a job, and read them again.",
    "jobs": "The same jobs in the gateway's own envelope, which can be listed as well.",
    "operations": "For those who run the service.",
}
ROUTES: tuple[Route, ...] = (
    *RESPONSES_ROUTES,
    *ENVELOPE_ROUTES,
    *BATCH_ROUTES,
    *OVERVIEW_ROUTES,
    *OPERATIONS_ROUTES,
)
