"""The Responses routes."""

from api.headers import PREFER
from api.openapi.answer_headers import POLL_HEADERS, STREAM_HEADERS, SUBMIT_HEADERS
from api.openapi.parameters import CREATE_HEADERS
from api.openapi.route import BASE, JSON, JSON_BODY, SSE, Answer, Route
from common.schemas import CreateResponse, DeletedResponse, ItemList, Response, StreamEvent

RESPONSES_ROUTES = (
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
                headers=(*SUBMIT_HEADERS, "preference-applied", *STREAM_HEADERS),
            )
        },
        description="`provider/model` chooses a provider, a bare name the default one. With "
        "`x-bf-async: true`, or `background: true` in the body, the request becomes a job. With "
        "`x-bf-async-id` a job is polled; no body is needed then. A job with `background` and "
        "`stream` answers its events at once, and goes on when the reader leaves.",
        parameters=tuple(header["name"] for header in CREATE_HEADERS),
        body=CreateResponse,
        errors=(400, 404, 408, 413, 422, 429, 502, 503, 504),
        samples={
            "At once": f"curl {BASE}/openai/v1/responses {JSON_BODY} \\\n"
            """  -d '{"model": "echo/hello", "input": "Hello"}'""",
            "As a stream": f"curl -N {BASE}/openai/v1/responses {JSON_BODY} \\\n"
            """  -d '{"model": "echo/hello", "input": "Hello", "stream": true}'""",
            "As a stream that survives": f"curl -N {BASE}/openai/v1/responses {JSON_BODY} \\\n"
            """  -d '{"model": "echo/hello", "input": "Hi", "background": true, "stream": true}'""",
            "As a job": f"curl {BASE}/openai/v1/responses {JSON_BODY} \\\n"
            "  -H 'x-bf-async: true' \\\n"
            """  -d '{"model": "echo/slow-2s", "input": "Hello"}'""",
            "Poll the job": f"curl -X POST {BASE}/openai/v1/responses \\\n"
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
                "The job as it stands, or its response; with `stream=true` its events.",
                {JSON: Response, SSE: StreamEvent},
                headers=(*POLL_HEADERS, "preference-applied", *STREAM_HEADERS),
            )
        },
        description="The events of a job can be read again, from the start or behind any of "
        "them, by any number of readers, for as long as the job is stored.",
        parameters=("id", PREFER, "stream", "starting_after"),
        errors=(400, 404, 429, 503),
        samples={
            "Read": f"curl {BASE}/openai/v1/responses/<id>",
            "Follow": f"curl -N '{BASE}/openai/v1/responses/<id>?stream=true&starting_after=7'",
        },
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
        samples={"Delete": f"curl -X DELETE {BASE}/openai/v1/responses/<id>"},
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
        samples={"Cancel": f"curl -X POST {BASE}/openai/v1/responses/<id>/cancel"},
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
        parameters=("id", "limit", "order", "after"),
        errors=(400, 404, 503),
        samples={"List": f"curl '{BASE}/openai/v1/responses/<id>/input_items?order=asc'"},
    ),
)
