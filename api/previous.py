"""``previous_response_id`` may be a job's id; the provider knows only its own."""

from typing import Any

from api.auth import Caller
from api.finding import find_job
from common.errors import InvalidValue, JobNotFound
from common.jobs import is_job_id
from common.store import JobStore


def resolve_previous(store: JobStore, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """The body with the provider's id in place of a job's.

    Raises InvalidValue for a job that is not known or has no answer (yet). An id that is not a
    job's passes as it is, without a look at the store.
    """
    previous = body.get("previous_response_id")
    if not isinstance(previous, str) or not is_job_id(previous):
        return body
    try:
        record = find_job(store, caller, previous)
    except JobNotFound:
        raise _no_answer("There is no job with this id, or it has expired.") from None
    if record.response_id is None:
        raise _no_answer(f"The job has no answer to go on from; it is {record.status.value}.")
    return body | {"previous_response_id": record.response_id}


def _no_answer(message: str) -> InvalidValue:
    return InvalidValue(message, param="previous_response_id", code="previous_response_not_found")
