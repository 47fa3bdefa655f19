"""What was asked for beside the body of a stored job."""

from common.store.job_store import JobStore
from common.store.scripts import store_errors


def options_of(store: JobStore, job_id: str) -> bytes | None:
    """The options of a job, as they were stored. Raises ServiceUnavailable."""
    with store_errors():
        value = store.client.hget(store.keys.job(job_id), "options")
    return value if isinstance(value, bytes) else None
