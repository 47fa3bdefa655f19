"""What a worker's lines and spans say of the job that they are about."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from common import tracing
from common.errors import ServiceUnavailable
from common.inference import CallOptions
from common.jobs import Claim
from common.log_context import bound
from common.store import JobStore
from common.store.job_options import options_of


@contextmanager
def attempt_of(claim: Claim) -> Iterator[None]:
    """Everything inside is about this attempt, and a part of the trace of the job's submit."""
    options = CallOptions.from_json(claim.options)
    ids = bound(job_id=claim.job_id, attempt=claim.attempt, request_id=options.request_id)
    with ids, tracing.attempt(claim.job_id, claim.attempt, options.traceparent):
        yield


@contextmanager
def delivery_of(store: JobStore, job_id: str) -> Iterator[None]:
    """Everything inside is about telling of this job's end."""
    with bound(job_id=job_id), tracing.delivery(job_id, _since(store, job_id)):
        yield


def _since(store: JobStore, job_id: str) -> Callable[[], str | None]:
    """Where the trace of a stored job stands; None for a batch's, which has none."""

    def since() -> str | None:
        try:
            options = options_of(store, job_id)
        except ServiceUnavailable:
            return None  # the delivery will say so
        return CallOptions.from_json(options).traceparent if options else None

    return since
