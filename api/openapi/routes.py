"""The routes that are described: a new one is one more row, and its row names its models."""

from api.headers import PREFER
from api.openapi.parameters import CREATE_HEADERS, PAGE_QUERY, POLL_HEADERS
from api.openapi.route import HTML, JSON, SSE, Answer, Route
from common.schemas import (
    CreateResponse,
    DeletedResponse,
    Health,
    ItemList,
    Response,
    StreamEvent,
    Version,
)

TAGS = {
    "responses": "Create responses, at once, as a stream or as a job, and read them again.",
    "operations": "For those who run the service.",
}

_BASE = "http://127.0.0.1:8080"
_JSON_BODY = "-H 'content-type: application/json'"

ROUTES: tuple[Route, ...] = (
    Route(
        "post",
        "/openai/v1/responses",
        "createResponse",
        "responses",
        "Create a response, or poll a job",
        {
            200: Answer(
                "The response; with `stream: true` its events. For a job: the job, `queued` when "
                "it was just submitted. A poll answers 200 in every state, also when the job "
                "failed: see `status` and `error`. The headers stand on a job that waits or runs.",
                {JSON: Response, SSE: StreamEvent},
                headers=(*POLL_HEADERS, "idempotent-replayed", "preference-applied"),
            )
        },
        description="`provider/model` chooses a provider, a bare name the default one. With "
        "`x-bf-async: true`, or `background: true` in the body, the request becomes a job. With "
        "`x-bf-async-id` a job is polled; no body is needed then.",
        parameters=tuple(header["name"] for header in CREATE_HEADERS),
        body=CreateResponse,
        errors=(400, 404, 413, 422, 429, 502, 503, 504),
        samples={
            "At once": f"curl {_BASE}/openai/v1/responses {_JSON_BODY} \\\n"
            """  -d '{"model": "echo/hello", "input": "Hello"}'""",
            "As a stream": f"curl -N {_BASE}/openai/v1/responses {_JSON_BODY} \\\n"
            """  -d '{"model": "echo/hello", "input": "Hello", "stream": true}'""",
            "As a job": f"curl {_BASE}/openai/v1/responses {_JSON_BODY} \\\n"
            "  -H 'x-bf-async: true' \\\n"
            """  -d '{"model": "echo/slow-2s", "input": "Hello"}'""",
            "Poll the job": f"curl -X POST {_BASE}/openai/v1/responses \\\n"
            "  -H 'x-bf-async-id: <job id>'",
        },
    ),
    Route(
        "get",
        "/openai/v1/responses/{id}",
        "retrieveResponse",
        "responses",
        "Read a job or a finished response",
        {
            200: Answer(
                "The job as it stands, or its response.",
                {JSON: Response},
                headers=(*POLL_HEADERS, "preference-applied"),
            )
        },
        parameters=("id", PREFER),
        errors=(404, 503),
        samples={"Read": f"curl {_BASE}/openai/v1/responses/<id>"},
    ),
    Route(
        "delete",
        "/openai/v1/responses/{id}",
        "deleteResponse",
        "responses",
        "Delete the stored record",
        {200: Answer("It is gone.", {JSON: DeletedResponse})},
        parameters=("id",),
        errors=(404, 503),
        samples={"Delete": f"curl -X DELETE {_BASE}/openai/v1/responses/<id>"},
    ),
    Route(
        "post",
        "/openai/v1/responses/{id}/cancel",
        "cancelResponse",
        "responses",
        "Cancel a job",
        {
            200: Answer(
                "The job, `cancelled`; one that had ended before is answered as it ended.",
                {JSON: Response},
            )
        },
        description="A job that waits is cancelled at once; of one that runs the provider's "
        "connection is closed within two seconds, and a result that still comes is dropped.",
        parameters=("id",),
        errors=(404, 503),
        samples={"Cancel": f"curl -X POST {_BASE}/openai/v1/responses/<id>/cancel"},
    ),
    Route(
        "get",
        "/openai/v1/responses/{id}/input_items",
        "listInputItems",
        "responses",
        "The input of a stored job",
        {200: Answer("A page of its items.", {JSON: ItemList})},
        description="The input of a long request is dropped when its job ends; its list is then "
        "empty.",
        parameters=("id", *(part["name"] for part in PAGE_QUERY)),
        errors=(400, 404, 503),
        samples={"List": f"curl '{_BASE}/openai/v1/responses/<id>/input_items?order=asc'"},
    ),
    Route(
        "get",
        "/healthz",
        "health",
        "operations",
        "Whether the process lives",
        {200: Answer("It does.", {JSON: Health})},
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
    ),
    Route(
        "get",
        "/version",
        "version",
        "operations",
        "What is running",
        {200: Answer("The version.", {JSON: Version})},
    ),
    Route(
        "get",
        "/openapi.json",
        "openapi",
        "operations",
        "This description",
        {200: Answer("OpenAPI 3.1.", {JSON: None})},
    ),
    Route(
        "get",
        "/docs",
        "docs",
        "operations",
        "This description, for people",
        {200: Answer("A page.", {HTML: None})},
    ),
)
