"""The routes of the gateway's own job envelope."""

from api.headers import (
    IDEMPOTENCY_KEY,
    PREFER,
    PROVIDER_KEY,
    RAW_REQUEST,
    RAW_RESPONSE,
    RESULT_TTL,
    WEBHOOK,
)
from api.openapi.answer_headers import LIMIT_HEADERS, POLL_HEADERS, SUBMIT_HEADERS
from api.openapi.route import BASE, JSON, JSON_BODY, Answer, Route
from common.schemas import CreateResponse, DeletedJob, Envelope, EnvelopePage, JobRetry

PATH = "/v1/async/responses"

ENVELOPE_ROUTES = (
    Route(
        "post",
        PATH,
        "submitJob",
        "jobs",
        "Submit a job",
        {202: Answer("The job, `pending`.", {JSON: Envelope}, headers=SUBMIT_HEADERS)},
        parameters=(
            RESULT_TTL,
            IDEMPOTENCY_KEY,
            WEBHOOK,
            PROVIDER_KEY,
            RAW_REQUEST,
            RAW_RESPONSE,
        ),
        body=CreateResponse,
        errors=(400, 404, 408, 413, 422, 429, 503),
        samples={
            "Submit": f"curl {BASE}{PATH} {JSON_BODY} \\\n"
            """  -d '{"model": "echo/slow-2s", "input": "Hello"}'"""
        },
    ),
    Route(
        "get",
        PATH,
        "listJobs",
        "jobs",
        "List jobs, newest first",
        {200: Answer("A page of them.", {JSON: EnvelopePage})},
        parameters=("limit", "cursor", "status", "model", "metadata.KEY", "key"),
        errors=(400, 403, 503),
        samples={"List": f"curl '{BASE}{PATH}?status=pending,processing&limit=10'"},
    ),
    Route(
        "get",
        f"{PATH}/{{id}}",
        "pollJob",
        "jobs",
        "Read a job",
        {
            200: Answer(
                "It has ended: `result` or `error` say how.",
                {JSON: Envelope},
                headers=("preference-applied",),
            ),
            202: Answer(
                "It waits or runs.",
                {JSON: Envelope},
                headers=(*POLL_HEADERS, "preference-applied"),
            ),
        },
        parameters=("id", PREFER),
        errors=(404, 503),
        samples={"Read": f"curl {BASE}{PATH}/<id>"},
    ),
    Route(
        "post",
        f"{PATH}/{{id}}/cancel",
        "cancelJob",
        "jobs",
        "Cancel a job",
        {200: Answer("The job; one that had ended before as it ended.", {JSON: Envelope})},
        parameters=("id",),
        errors=(404, 503),
        samples={"Cancel": f"curl -X POST {BASE}{PATH}/<id>/cancel"},
    ),
    Route(
        "delete",
        f"{PATH}/{{id}}",
        "deleteJob",
        "jobs",
        "Delete a job's record",
        {200: Answer("It is gone.", {JSON: DeletedJob})},
        parameters=("id",),
        errors=(404, 503),
        samples={"Delete": f"curl -X DELETE {BASE}{PATH}/<id>"},
    ),
    Route(
        "post",
        f"{PATH}/{{id}}/webhook",
        "redeliverWebhook",
        "jobs",
        "Send a job's webhook once more",
        {202: Answer("The job; its event is about to be sent.", {JSON: Envelope})},
        description="For a job that has ended and was submitted with a webhook, delivered or "
        "given up. The event is the same as before, with the same `webhook-id`.",
        parameters=("id",),
        errors=(400, 404, 503),
        samples={"Send": f"curl -X POST {BASE}{PATH}/<id>/webhook"},
    ),
    Route(
        "get",
        f"{PATH}/{{id}}/request",
        "showRequest",
        "jobs",
        "Read a job's request",
        {200: Answer("The body that it runs with.", {JSON: CreateResponse})},
        description="A long request is dropped when its job ends (`request_not_kept`).",
        parameters=("id",),
        errors=(404, 503),
        samples={"Read": f"curl {BASE}{PATH}/<id>/request"},
    ),
    Route(
        "post",
        f"{PATH}/{{id}}/retry",
        "retryJob",
        "jobs",
        "Submit an ended job's request once more",
        {
            202: Answer(
                "The new job, `pending`.",
                {JSON: JobRetry},
                headers=(*SUBMIT_HEADERS, *LIMIT_HEADERS),
            )
        },
        description="With the options, time to live and webhook of the first, and for the same "
        "key. It counts as a request of whom asks for it, whose key has to be for the model.",
        parameters=("id", IDEMPOTENCY_KEY, PROVIDER_KEY),
        errors=(400, 403, 404, 409, 422, 429, 503),
        samples={"Retry": f"curl -X POST {BASE}{PATH}/<id>/retry"},
    ),
)
