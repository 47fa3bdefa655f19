"""Jobs in a store, at each point of their life."""

import uuid
from dataclasses import replace

from common.jobs import Claim, Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.job_store import JobStore
from common.store.maintenance import JobMaintenance

INDEXES = ("queued", "running", "parked", "held")
DONE = Ending(JobStatus.COMPLETED, result=b'{"id":"resp_1"}', response_id="resp_1")
FAILED = Ending(JobStatus.FAILED, error={"code": "provider_error", "message": "no"})


def new_job(**changes: object) -> NewJob:
    job = NewJob(
        id=str(uuid.uuid4()),
        owner="",
        request=b'{"model":"m"}',
        options=b"{}",
        shape=b'{"id":"x"}',
        ttl_seconds=60,
        created_at_ms=1,
        fingerprint="f",
        submission=uuid.uuid4().hex,
    )
    return replace(job, **changes)


def submitted(store: JobStore, **changes: object) -> NewJob:
    job = new_job(**changes)
    assert store.create(job, build_message(job.id))
    return job


def claimed(store: JobStore, job: NewJob) -> Claim:
    claim = store.claim(job.id, uuid.uuid4().hex)
    assert claim is not None
    return claim


def status_of(store: JobStore, job: NewJob) -> JobStatus:
    record = store.get(job.id)
    assert record is not None
    return record.status


def indexed(store: JobStore, job: NewJob) -> list[str]:
    """The indexes that a job stands in."""
    client = store.client
    return [n for n in INDEXES if client.zscore(store.keys.index(n, 0), job.id) is not None]


def lease_runs_out(store: JobStore, job: NewJob) -> None:
    store.client.zadd(store.keys.index("running", 0), {job.id: 1})


def maintenance(store: JobStore) -> JobMaintenance:
    return JobMaintenance(store, build_message)
