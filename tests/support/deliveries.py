"""Jobs with a webhook on a store of their own, and a sender without sockets."""

import uuid
from typing import Any

from common.jobs import Ending, JobStatus, NewJob
from common.store import JobStore
from common.store.deliveries import Deliveries
from common.webhooks.sender import NotDelivered, Sender

DONE = Ending(JobStatus.COMPLETED, result=b'{"id":"resp_1","status":"completed"}')
FAR = 10**15
LEASE_MS = 5_000


class FakeSender(Sender):
    """Answers with the next of ``outcomes``: a status, or a reason not to have one."""

    def __init__(self, *outcomes: int | str) -> None:
        super().__init__(1.0, allow_private=False)
        self.outcomes = list(outcomes)
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        self.sent.append((url, body, headers))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, str):
            raise NotDelivered(outcome)
        return outcome


def submitted(store: JobStore, **changes: Any) -> str:
    """The id of a queued job whose webhook is ``hook``."""
    fields = {"ttl_seconds": 60, "webhook": "hook", "streamed": False, **changes}
    job = NewJob(
        str(uuid.uuid4()),
        owner="",
        request=b"{}",
        options=b"{}",
        shape=b"{}",
        created_at_ms=1,
        fingerprint="f",
        submission="s",
        **fields,
    )
    assert store.create(job)
    return job.id


def ended(store: JobStore, **changes: Any) -> str:
    """The same, completed."""
    job_id = submitted(store, **changes)
    claim = store.claim(job_id, "t")
    assert claim is not None
    assert store.finish(claim, DONE)
    return job_id


def index_of(store: JobStore) -> str:
    return store.keys.index("webhooks", 0)


def time_comes(store: JobStore, job_id: str) -> None:
    """The next look at a delivery is due, as if its pause or lease were over."""
    assert store.client.zadd(index_of(store), {job_id: 1}, xx=True, ch=True)


def claimed(deliveries: Deliveries, job_id: str, token: str = "w") -> str:
    """Taken by a worker."""
    assert deliveries.enqueue(job_id)
    assert deliveries.claim(job_id, token, LEASE_MS)
    return job_id
