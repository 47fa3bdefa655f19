"""Leases, and looking after jobs that nobody holds, on fakeredis."""

from collections.abc import Callable

import pytest

from common.jobs import Claim, JobStatus, NewJob
from common.queue import build_message
from common.store.job_store import JobStore
from common.store.keys import JOBS_QUEUE
from tests.support.stored_jobs import (
    FAILED,
    claimed,
    indexed,
    lease_runs_out,
    maintenance,
    status_of,
    submitted,
)


def test_a_second_message_does_not_bring_a_parked_job_back_before_its_time(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    assert store.release(claim, b"", delay_seconds=60, error={})
    assert store.claim(job.id, "of the second message") is None
    assert indexed(store, job) == ["parked"]
    assert maintenance(store).promote_parked(claim.claimed_at_ms + 120_000) == [job.id]
    assert store.claim(job.id, "of its new message") is not None


def test_a_parked_job_is_promoted_when_it_is_due_and_not_before(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    store.release(claim, b"", delay_seconds=60, error={"code": "x", "message": "y"})
    care = maintenance(store)
    assert care.promote_parked(claim.claimed_at_ms + 1_000) == []
    assert care.promote_parked(claim.claimed_at_ms + 120_000) == [job.id]
    assert indexed(store, job) == ["queued"]
    assert claimed(store, job).failures == 1


def test_heartbeat_renews_what_is_held_and_names_what_is_not(store: JobStore) -> None:
    kept, cancelled, deleted = (submitted(store) for _ in range(3))
    claims = [claimed(store, job) for job in (kept, cancelled, deleted)]
    held = [(claim.job_id, claim.token) for claim in claims]
    store.cancel(cancelled.id)
    store.delete(deleted.id)
    lease_runs_out(store, kept)
    assert store.heartbeat(held, renew=True) == {claim.token for claim in claims[1:]}
    lease = store.client.zscore(store.keys.index("running", 0), kept.id)
    assert lease is not None
    assert lease > 1


def test_heartbeat_without_renewing_only_looks(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    lease_runs_out(store, job)
    assert store.heartbeat([(job.id, claim.token)], renew=False) == set()
    assert store.client.zscore(store.keys.index("running", 0), job.id) == 1


def test_a_heartbeat_does_not_bring_back_the_lease_of_an_overtaken_attempt(store: JobStore) -> None:
    job = submitted(store)
    old = claimed(store, job)
    lease_runs_out(store, job)
    maintenance(store).rescue(2, max_attempts=3)
    claimed(store, job)
    assert store.heartbeat([(job.id, old.token)], renew=True) == {old.token}


def test_a_lost_job_is_rescued_until_its_attempts_are_used_up(store: JobStore) -> None:
    job = submitted(store)
    care = maintenance(store)
    for _ in range(2):
        claimed(store, job)
        lease_runs_out(store, job)
        assert care.rescue(2, max_attempts=3) == {job.id: "requeued"}
    claimed(store, job)
    lease_runs_out(store, job)
    assert care.rescue(2, max_attempts=3) == {job.id: "failed"}
    record = store.get(job.id)
    assert record is not None
    assert record.error is not None
    assert record.error["code"] == "worker_lost"
    assert record.attempts == 3


def test_a_job_whose_lease_runs_is_not_rescued(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    assert maintenance(store).rescue(claim.claimed_at_ms + 1_000_000, max_attempts=3) == {}
    assert status_of(store, job) is JobStatus.IN_PROGRESS


def test_a_queued_job_without_message_gets_a_new_one(store: JobStore) -> None:
    job = submitted(store)
    store.client.delete(JOBS_QUEUE)
    now_ms = maintenance(store).now_ms()
    assert maintenance(store).requeue_lost(now_ms + 1) == [job.id]
    assert store.client.llen(JOBS_QUEUE) == 1
    assert maintenance(store).requeue_lost(now_ms - 60_000) == []


def test_a_job_that_waited_for_too_long_fails(store: JobStore) -> None:
    job = submitted(store)
    care = maintenance(store)
    assert care.expire_queued(1) == []
    assert care.expire_queued(care.now_ms() + 1) == [job.id]
    record = store.get(job.id)
    assert record is not None
    assert record.error is not None
    assert record.error["code"] == "deadline_exceeded"


def test_counts_tell_where_jobs_stand(store: JobStore) -> None:
    submitted(store)
    claimed(store, submitted(store))
    store.release(claimed(store, submitted(store)), b"", delay_seconds=9)
    now_ms = maintenance(store).now_ms()
    gated = [submitted(store, provider="p", max_in_flight=1, created_at_ms=now_ms) for _ in "ab"]
    claimed(store, gated[0])
    assert store.claim(gated[1].id, "t") is None
    counts = maintenance(store).counts()
    assert counts == {"queued": 1, "running": 2, "parked": 1, "held": 1}


def test_a_broken_record_does_not_stand_in_the_way_of_the_others(store: JobStore) -> None:
    broken, sound = submitted(store), submitted(store)
    for job in (broken, sound):
        claimed(store, job)
    store.client.hset(store.keys.job(broken.id), "lost", "not a number")
    store.client.zadd(store.keys.index("running", 0), {broken.id: 1, sound.id: 2})
    assert maintenance(store).rescue(3, max_attempts=3) == {sound.id: "requeued"}


def given_to_provider(store: JobStore) -> tuple[NewJob, Claim]:
    """A running job whose provider works on it in its background; all messages were taken."""
    job = submitted(store)
    claim = claimed(store, job)
    assert store.note_upstream(claim, "resp_1")
    store.client.delete(JOBS_QUEUE)
    return job, claim


def cancelled_while_parked(store: JobStore, job: NewJob, claim: Claim) -> None:
    store.release(claim, b"", delay_seconds=60, error={"code": "x", "message": "y"})
    assert store.cancel(job.id, build_message(job.id)) is JobStatus.CANCELLED


def lost_with_its_worker(store: JobStore, job: NewJob, claim: Claim) -> None:
    lease_runs_out(store, job)
    assert maintenance(store).rescue(2, max_attempts=1) == {job.id: "failed"}


def expired_in_the_queue(store: JobStore, job: NewJob, claim: Claim) -> None:
    store.release(claim, b"")
    care = maintenance(store)
    assert care.expire_queued(care.now_ms() + 1) == [job.id]


@pytest.mark.parametrize(
    "give_up", [cancelled_while_parked, lost_with_its_worker, expired_in_the_queue]
)
def test_a_worker_hears_of_a_job_that_is_given_up_while_its_provider_works(
    store: JobStore, give_up: Callable[[JobStore, NewJob, Claim], None]
) -> None:
    job, claim = given_to_provider(store)
    give_up(store, job, claim)
    assert store.client.llen(JOBS_QUEUE) == 1
    assert store.abandoned_upstream(job.id) == (job.shape, "resp_1")


def test_nobody_hears_of_a_job_that_failed_by_its_provider(store: JobStore) -> None:
    job, claim = given_to_provider(store)
    assert store.finish(claim, FAILED)
    assert store.client.llen(JOBS_QUEUE) == 0
    assert store.abandoned_upstream(job.id) is None


def test_nobody_hears_of_a_job_on_which_no_provider_works(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    store.client.delete(JOBS_QUEUE)
    cancelled_while_parked(store, job, claim)
    assert store.client.llen(JOBS_QUEUE) == 0
