"""Finds a stored job for a caller."""

from collections.abc import Callable

from api.auth import Caller
from common.errors import JobNotFound
from common.jobs import JobRecord, is_job_id
from common.log_context import note
from common.queue import JobQueue
from common.store import JobStore

LONGEST_ID = 512


def look_again(store: JobStore, record: JobRecord) -> Callable[[], JobRecord]:
    """A function that finds a job that was found before; it raises JobNotFound when it is gone."""

    def look() -> JobRecord:
        found = store.get(record.id)
        if found is None:
            raise JobNotFound
        return found

    return look


def find_job(store: JobStore, caller: Caller, any_id: str) -> JobRecord:
    """The caller's job by its own id or by its provider's response id; of an admin anybody's.

    Raises JobNotFound, the same for an id that is malformed, unknown or someone else's.
    """
    if not any_id or len(any_id) > LONGEST_ID:
        raise JobNotFound
    record = store.get(any_id) if is_job_id(any_id) else store.find_by_response(any_id)
    if record is None or not caller.may_see(record.owner):
        raise JobNotFound
    note(job_id=record.id)
    return record


def cancel_job(store: JobStore, queue: JobQueue, caller: Caller, any_id: str) -> JobRecord:
    """The caller's job after it was cancelled, or as it is if it had ended. Raises as ``find_job``
    does."""
    record = find_job(store, caller, any_id)
    store.cancel(record.id, queue.message(record.id))
    return find_job(store, caller, record.id)
