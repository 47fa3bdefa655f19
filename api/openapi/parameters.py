"""What routes read beside the body: headers, query and path."""

from typing import Any

from api.headers import (
    ASYNC,
    ASYNC_ID,
    IDEMPOTENCY_KEY,
    LONGEST_IDEMPOTENCY_KEY,
    LONGEST_WAIT_SECONDS,
    PREFER,
    PROVIDER_KEY,
    RAW_REQUEST,
    RAW_RESPONSE,
    REQUEST_ID,
    RESULT_TTL,
    WEBHOOK,
)
from api.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from api.usage import DEFAULT_DAYS, MOST_DAYS


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _path(description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }


_SWITCH: dict[str, Any] = {"type": "string", "examples": ["true"]}

PROVIDER_KEY_HEADER = _header(
    PROVIDER_KEY,
    "The caller's own key for the model's provider, where that allows it: used instead of the "
    "gateway's for this call or job. A job keeps it encrypted until its end. A request that "
    "names its virtual key in `x-bf-vk` may send it as `Authorization: Bearer` as well.",
    type="string",
    minLength=4,
    maxLength=4096,
)
PREFER_HEADER = _header(
    PREFER,
    f"`wait=N`: wait up to N seconds ({LONGEST_WAIT_SECONDS} at most) for the job's end, and "
    "answer the finished result if it came.",
    type="string",
    examples=["wait=30"],
)
CREATE_HEADERS = (
    _header(
        ASYNC,
        "`true` (in any case) makes the request a job: the answer comes at once and carries the "
        "job's id. `false` or empty: an ordinary call. Not together with `stream`.",
        **_SWITCH,
    ),
    _header(
        ASYNC_ID,
        "The id of a job to poll. The body and the other headers, except `prefer`, are then "
        "ignored.",
        type="string",
    ),
    _header(
        RESULT_TTL,
        "How long the job can be polled after its end, in seconds. What is no positive number "
        "counts as missing; what is above the configured maximum counts as the maximum.",
        type="integer",
        default=3600,
    ),
    _header(
        IDEMPOTENCY_KEY,
        "For jobs: submitting the same body again with the same key answers the same job, for as "
        "long as that is stored. Another body with that key is refused (422).",
        type="string",
        minLength=1,
        maxLength=LONGEST_IDEMPOTENCY_KEY,
    ),
    _header(
        WEBHOOK,
        "For jobs: whom to tell of the end, by the name of a configured endpoint or, where one "
        "allows it, a URL below its own. Events are signed as Standard Webhooks says.",
        type="string",
        examples=["billing"],
    ),
    _header(
        REQUEST_ID,
        "The caller's own id of the request, found again in the log and in the answer. Up to 128 "
        "letters, digits and `._:@/+=-`; any other is replaced.",
        type="string",
    ),
    PREFER_HEADER,
    PROVIDER_KEY_HEADER,
    _header(
        RAW_REQUEST,
        "`true` adds what the provider was sent, as `extra_fields.raw_request`.",
        **_SWITCH,
    ),
    _header(
        RAW_RESPONSE,
        "`true` adds what the provider answered, as `extra_fields.raw_response`.",
        **_SWITCH,
    ),
)
LIMIT = _query(
    "limit",
    "How many to answer.",
    type="integer",
    minimum=1,
    maximum=LARGEST_LIMIT,
    default=DEFAULT_LIMIT,
)
# By the name of the component, which is the parameter's own unless two share one.
_BY_NAME: dict[str, dict[str, Any]] = {
    "order": _query(
        "order",
        "`asc`: in the order they were given; otherwise the last comes first.",
        type="string",
        enum=["asc", "desc"],
        default="desc",
    ),
    "after": _query("after", "What names the last item already seen: its id.", type="string"),
    "cursor": _query("after", "The cursor of the page before, `next_cursor`.", type="string"),
    "status": _query(
        "status",
        "Only jobs of this status; several with commas.",
        type="string",
        examples=["pending"],
    ),
    "model": _query(
        "model",
        "Only jobs that were submitted for this model; `*` fits anything.",
        type="string",
        examples=["openai/*"],
    ),
    "key": _query(
        "key", "Only jobs of the key with this name or id. For admin keys.", type="string"
    ),
    "days": _query(
        "days",
        "How many days, with today (UTC).",
        type="integer",
        minimum=1,
        maximum=MOST_DAYS,
        default=DEFAULT_DAYS,
    ),
    "metadata.KEY": _query(
        "metadata.KEY",
        "Only jobs whose metadata has this value for KEY, any key; may be given for several.",
        type="string",
    ),
    "stream": _query(
        "stream",
        "`true` answers the job's events, those that were and those that come, to its end.",
        **_SWITCH,
    ),
    "starting_after": _query(
        "starting_after",
        "The `sequence_number` of the last event already seen; the stream goes on behind it.",
        type="integer",
        minimum=0,
    ),
    "id": _path(
        "A job's id, or the id that the provider gave to its response; of a batch its own."
    ),
}
PARAMETERS: dict[str, dict[str, Any]] = {
    **{part["name"]: part for part in (*CREATE_HEADERS, LIMIT)},
    **_BY_NAME,
}
