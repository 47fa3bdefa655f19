"""Batches and the ends of their jobs, on fakeredis."""

import uuid

import pytest

from common.jobs import JobStatus
from common.store.batches import Batch, BatchItem, BatchStore
from tests.support.stored_jobs import DONE, FAILED, claimed, new_job

BATCH_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"


@pytest.fixture
def batches(store):
    return BatchStore(store)


@pytest.fixture
def jobs(store, batches):
    """A batch of three queued jobs."""
    jobs = [new_job(batch_id=BATCH_ID, id=job_id()) for _ in range(3)]
    items = [BatchItem(f"c{index}", job.id) for index, job in enumerate(jobs)]
    batches.create(Batch(BATCH_ID, "", 1, items, webhook="hook"))
    for job in jobs:
        assert store.create(job)
    return jobs


def job_id():
    return str(uuid.uuid4())[:-4] + BATCH_ID[-4:]


def test_a_batch_ends_with_the_last_of_its_jobs_however_each_ends(store, batches, jobs):
    assert store.finish(claimed(store, jobs[0]), DONE)
    assert store.cancel(jobs[1].id) is JobStatus.CANCELLED
    assert batches.get(BATCH_ID).ended_at_ms is None
    assert store.finish(claimed(store, jobs[2]), FAILED)
    assert batches.get(BATCH_ID).ended_at_ms is not None


def test_a_job_that_is_deleted_before_its_end_is_counted_off_once(store, batches, jobs):
    store.finish(claimed(store, jobs[0]), DONE)
    store.delete(jobs[0].id)
    store.delete(jobs[1].id)
    assert batches.get(BATCH_ID).ended_at_ms is None
    store.delete(jobs[2].id)
    assert batches.get(BATCH_ID).ended_at_ms is not None


def test_the_end_of_a_batch_with_a_webhook_is_owed_a_delivery(store, jobs):
    for job in jobs:
        store.cancel(job.id)
    assert store.client.zscore(store.keys.index("webhooks", 0), BATCH_ID) is not None
    assert store.client.ttl(store.keys.batch(BATCH_ID)) == -1  # until it is settled


def test_a_batch_is_no_job(store, jobs):
    assert store.get(BATCH_ID) is None
