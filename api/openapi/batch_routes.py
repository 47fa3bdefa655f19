"""The routes of batches."""

from api.headers import PROVIDER_KEY, RAW_REQUEST, RAW_RESPONSE, RESULT_TTL, WEBHOOK
from api.openapi.envelope_routes import PATH as JOBS
from api.openapi.route import BASE, JSON, JSON_BODY, Answer, Route
from common.schemas import Batch, BatchItems, CreateBatch

PATH = f"{JOBS}/batch"

BATCH_ROUTES = (
    Route(
        "post",
        PATH,
        "submitBatch",
        "jobs",
        "Submit many jobs at once",
        {202: Answer("The batch.", {JSON: Batch})},
        description="All requests are checked before the first is submitted; either all become "
        "jobs or none does. The headers hold for each of them.",
        parameters=(RESULT_TTL, WEBHOOK, PROVIDER_KEY, RAW_REQUEST, RAW_RESPONSE),
        body=CreateBatch,
        errors=(400, 404, 408, 413, 429, 503),
        samples={
            "Submit": f'curl {BASE}{PATH} {JSON_BODY} -d \'{{"requests": [\n'
            """  {"custom_id": "a", "body": {"model": "echo/hello", "input": "Hello"}},\n"""
            """  {"custom_id": "b", "body": {"model": "echo/hello", "input": "Bye"}}]}'"""
        },
    ),
    Route(
        "get",
        f"{PATH}/{{id}}",
        "readBatch",
        "jobs",
        "Read how a batch stands",
        {200: Answer("The batch.", {JSON: Batch})},
        parameters=("id",),
        errors=(404, 503),
        samples={"Read": f"curl {BASE}{PATH}/<id>"},
    ),
    Route(
        "get",
        f"{PATH}/{{id}}/items",
        "listBatchItems",
        "jobs",
        "List a batch's jobs",
        {200: Answer("A page of them.", {JSON: BatchItems})},
        description="In the order they were given; `after` names the last `custom_id` seen.",
        parameters=("id", "limit", "after"),
        errors=(400, 404, 503),
        samples={"List": f"curl '{BASE}{PATH}/<id>/items?limit=100'"},
    ),
    Route(
        "post",
        f"{PATH}/{{id}}/cancel",
        "cancelBatch",
        "jobs",
        "Cancel a batch",
        {200: Answer("The batch, with all its jobs ended or about to.", {JSON: Batch})},
        parameters=("id",),
        errors=(404, 503),
        samples={"Cancel": f"curl -X POST {BASE}{PATH}/<id>/cancel"},
    ),
)
