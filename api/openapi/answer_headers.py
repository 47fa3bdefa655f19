"""The headers that routes answer."""

from typing import Any

from api.headers import ASYNC_ID, REQUEST_ID
from api.limits import LIMIT, REMAINING, RESET
from api.request_log import OWN_REQUEST_ID

HEADERS: dict[str, dict[str, Any]] = {
    "Retry-After": {
        "description": "How long to wait before asking again, in seconds.",
        "schema": {"type": "integer"},
    },
    "openai-poll-after-ms": {
        "description": "The same for OpenAI's SDKs, in milliseconds.",
        "schema": {"type": "integer"},
    },
    "idempotent-replayed": {
        "description": "`true` when an earlier submit with the same key made this job.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "preference-applied": {
        "description": "The `wait=N` that was honoured, at most the longest there is.",
        "schema": {"type": "string"},
    },
    ASYNC_ID: {
        "description": "The id of the job whose events are streamed.",
        "schema": {"type": "string"},
    },
    LIMIT: {
        "description": "Requests that the key may make in a minute, if that is limited.",
        "schema": {"type": "integer"},
    },
    REMAINING: {
        "description": "How many of them are left now.",
        "schema": {"type": "integer"},
    },
    RESET: {
        "description": "When the oldest of them stops counting, such as `12.5s`.",
        "schema": {"type": "string"},
    },
    REQUEST_ID: {
        "description": "What finds the request in the log: the provider's id where it gave one, "
        "else the caller's own `x-request-id`, else a new one.",
        "schema": {"type": "string"},
    },
    OWN_REQUEST_ID: {
        "description": "The gateway's own id, where the usual header has the provider's.",
        "schema": {"type": "string"},
    },
}
STREAM_HEADERS = (ASYNC_ID,)
POLL_HEADERS = ("Retry-After", "openai-poll-after-ms")
SUBMIT_HEADERS = (*POLL_HEADERS, "idempotent-replayed")
LIMIT_HEADERS = (LIMIT, REMAINING, RESET)
