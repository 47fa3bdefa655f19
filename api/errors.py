"""Turns an exception into JSON: the one place."""

import logging
import math
import uuid

from api.headers import REQUEST_ID
from api.reply import Reply, json_reply
from common.answers import REQUEST_TYPE
from common.errors import InternalError, MuninnError
from common.log_context import note, request_id

log = logging.getLogger(__name__)


def error_reply(error: Exception) -> Reply:
    """The answer to a request that failed; anything unforeseen is a 500 that tells nothing."""
    if isinstance(error, MuninnError):
        return _reply(error)
    log.error("unforeseen failure", exc_info=error)
    return _reply(InternalError("The gateway failed. The failure was logged."))


def _reply(error: MuninnError) -> Reply:
    # Outside of a request there is none to name.
    event_id = request_id() or str(uuid.uuid4())
    note(code=error.code)
    body = {
        "event_id": event_id,
        "type": error.type,
        "is_bifrost_error": error.by_gateway,
        "status_code": error.status,
        "error": {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "event_id": event_id,
        },
        "extra_fields": {
            "provider": error.provider,
            "model_requested": error.model_requested,
            "request_type": REQUEST_TYPE,
        },
    }
    return json_reply(body, error.status, _headers(error, event_id))


def _headers(error: MuninnError, event_id: str) -> dict[str, str]:
    headers = {REQUEST_ID: event_id}
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_seconds))
    return headers | error.headers
