"""The job store, script by script, on fakeredis."""

import re
import socket
import uuid
from dataclasses import replace

import orjson
import pytest
from redis.exceptions import ResponseError

from common.errors import InternalError, RateLimited, ServiceUnavailable
from common.jobs import Ending, JobStatus
from common.queue import build_message
from common.store.connection import connect
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import JOBS_QUEUE, Keys
from common.store.scripts import store_errors
from tests.support.stored_jobs import (
    DONE,
    FAILED,
    claimed,
    indexed,
    lease_runs_out,
    maintenance,
    new_job,
    status_of,
    submitted,
)

# What an operator wants to see, and what is kept for longer than any job.
COUNTS = re.compile(rb":(usage|minute):[0-9]+$")


def test_a_created_job_has_a_record_an_index_entry_and_a_message(store: JobStore) -> None:
    job = submitted(store)
    assert status_of(store, job) is JobStatus.QUEUED
    assert indexed(store, job) == ["queued"]
    message = orjson.loads(store.client.lindex(JOBS_QUEUE, 0))
    assert message["headers"]["id"] == job.id


@pytest.mark.parametrize("off_ms", [-90_000_000, 90_000_000])
def test_a_front_whose_clock_is_far_off_takes_no_deadline_from_a_job(
    store: JobStore, off_ms: int
) -> None:
    now_ms = maintenance(store).now_ms()
    claim = claimed(store, submitted(store, created_at_ms=now_ms + off_ms))
    assert 0 <= claim.started_at_ms - claim.created_at_ms < 10_000
    assert store.finish(claim, DONE)


def test_when_a_job_was_made_is_told_as_its_front_has_told_it(store: JobStore) -> None:
    made_at_ms = maintenance(store).now_ms() - 1000
    record = store.get(submitted(store, created_at_ms=made_at_ms).id)
    assert record is not None
    assert record.created_at_ms == made_at_ms


def test_a_waiting_job_has_no_expiry(store: JobStore) -> None:
    job = submitted(store)
    assert store.client.ttl(store.keys.job(job.id)) == -1
    claimed(store, job)
    assert store.client.ttl(store.keys.job(job.id)) == -1


def test_creating_the_same_submission_twice_makes_one_job_and_one_message(store: JobStore) -> None:
    job = submitted(store)
    assert store.create(job, build_message(job.id))
    assert store.client.llen(JOBS_QUEUE) == 1


def test_an_id_that_is_taken_is_not_created_again(store: JobStore) -> None:
    job = submitted(store)
    assert not store.create(replace(job, submission="other"), build_message(job.id))


def test_a_full_queue_refuses_and_keeps_nothing(store: JobStore) -> None:
    for _ in range(5):
        submitted(store)
    job = new_job()
    with pytest.raises(RateLimited) as caught:
        store.create(job, build_message(job.id))
    assert caught.value.retry_after_seconds
    assert store.get(job.id) is None
    assert store.client.llen(JOBS_QUEUE) == 5


def test_a_create_that_reaches_the_server_too_late_is_void(store: JobStore) -> None:
    job = new_job()
    args = [job.id, b"", 5, 1, "owned", 1000, "owner", ""]  # 1 ms after the epoch has long passed
    outcome, _ = store.scripts.run("create", store.keys.of_script(job.id), args)
    assert outcome == b"late"
    assert store.get(job.id) is None


def test_a_failed_submit_takes_back_its_own_job_and_no_other(store: JobStore) -> None:
    job = submitted(store)
    store.discard(replace(job, submission="another submit with the same id"))
    assert store.get(job.id) is not None
    store.discard(job)
    assert store.get(job.id) is None
    assert indexed(store, job) == []


def test_a_claim_carries_the_request_and_a_fencing_number(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    assert (claim.attempt, claim.request, claim.ttl_seconds) == (1, job.request, 60)
    assert status_of(store, job) is JobStatus.IN_PROGRESS
    assert indexed(store, job) == ["running"]


def test_a_running_job_cannot_be_claimed_again(store: JobStore) -> None:
    job = submitted(store)
    claimed(store, job)
    assert store.claim(job.id, "another") is None


def test_a_claim_asked_twice_because_its_answer_was_lost_is_the_same_claim(store: JobStore) -> None:
    job = submitted(store)
    first = store.claim(job.id, "token")
    again = store.claim(job.id, "token")
    assert first is not None
    assert again is not None
    assert again.attempt == first.attempt == 1


def test_a_claim_asked_again_has_its_whole_lease_again(store: JobStore) -> None:
    job = submitted(store)
    store.claim(job.id, "token")
    lease_runs_out(store, job)
    assert store.claim(job.id, "token") is not None
    care = maintenance(store)
    assert care.rescue(care.now_ms(), 3) == {}


def test_an_unknown_job_cannot_be_claimed(store: JobStore) -> None:
    assert store.claim(str(uuid.uuid4()), "token") is None


def test_a_finished_job_keeps_its_result_for_its_ttl(store: JobStore) -> None:
    job = submitted(store)
    assert store.finish(claimed(store, job), DONE)
    record = store.get(job.id)
    assert record is not None
    assert (record.status, record.result) == (JobStatus.COMPLETED, DONE.result)
    assert record.expires_at_ms == (record.completed_at_ms or 0) + 60_000
    assert 0 < store.client.ttl(store.keys.job(job.id)) <= 60
    assert 0 < store.client.ttl(store.keys.alias("resp_1")) <= 60
    assert indexed(store, job) == []


def test_the_providers_id_finds_the_job(store: JobStore) -> None:
    job = submitted(store)
    store.finish(claimed(store, job), DONE)
    found = store.find_by_response("resp_1")
    assert found is not None
    assert found.id == job.id
    assert store.find_by_response("resp_2") is None


def test_an_alias_that_the_record_does_not_confirm_finds_nothing(store: JobStore) -> None:
    job = submitted(store)
    store.client.set(store.keys.alias("resp_9"), job.id)
    assert store.find_by_response("resp_9") is None


@pytest.mark.parametrize("first", [DONE, FAILED])
@pytest.mark.parametrize("second", [DONE, FAILED])
def test_the_first_ending_is_the_only_one(store: JobStore, first: Ending, second: Ending) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    assert store.finish(claim, first)
    assert not store.finish(claim, second)
    assert status_of(store, job) is first.status


def test_a_success_of_an_overtaken_attempt_counts(store: JobStore) -> None:
    job = submitted(store)
    old = claimed(store, job)
    lease_runs_out(store, job)
    maintenance(store).rescue(2, max_attempts=3)
    claimed(store, job)
    assert store.finish(old, DONE)
    assert status_of(store, job) is JobStatus.COMPLETED


def test_a_failure_of_an_overtaken_attempt_does_not_count(store: JobStore) -> None:
    job = submitted(store)
    old = claimed(store, job)
    lease_runs_out(store, job)
    maintenance(store).rescue(2, max_attempts=3)
    new = claimed(store, job)
    assert not store.finish(old, FAILED)
    assert not store.release(old, b"", delay_seconds=1)
    assert new.attempt == 2
    assert store.finish(new, FAILED)


def test_an_attempt_of_a_deleted_job_has_nothing_to_do_with_one_that_has_its_id_now(
    store: JobStore,
) -> None:
    job = submitted(store)
    old = claimed(store, job)
    store.delete(job.id)
    again = replace(job, submission="again", created_at_ms=job.created_at_ms + 1)
    assert store.create(again)
    new = claimed(store, again)
    assert (old.job_id, old.attempt) == (new.job_id, new.attempt)
    assert not store.finish(old, DONE)
    assert not store.finish(old, FAILED)
    assert not store.release(old, b"")
    assert store.heartbeat([(job.id, old.token), (job.id, new.token)], renew=True) == {old.token}
    assert store.finish(new, DONE)


def test_a_job_given_back_is_queued_with_a_message(store: JobStore) -> None:
    job = submitted(store)
    store.client.delete(JOBS_QUEUE)
    assert store.release(claimed(store, job), build_message(job.id))
    assert status_of(store, job) is JobStatus.QUEUED
    assert indexed(store, job) == ["queued"]
    assert store.client.llen(JOBS_QUEUE) == 1


def test_a_job_to_be_tried_later_is_parked_with_the_time_of_its_next_attempt(
    store: JobStore,
) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    assert store.release(claim, b"", delay_seconds=60, error={"code": "x", "message": "y"})
    record = store.get(job.id)
    assert record is not None
    assert record.status is JobStatus.QUEUED
    assert (record.next_attempt_at_ms or 0) >= claim.claimed_at_ms + 60_000
    assert indexed(store, job) == ["parked"]


@pytest.mark.parametrize("is_running", [False, True])
def test_cancel_ends_a_job_that_has_not_ended(store: JobStore, is_running: bool) -> None:
    job = submitted(store)
    if is_running:
        claimed(store, job)
    assert store.cancel(job.id) is JobStatus.CANCELLED
    assert indexed(store, job) == []
    assert store.claim(job.id, "t") is None


def test_cancel_leaves_a_finished_job_as_it_is(store: JobStore) -> None:
    job = submitted(store)
    store.finish(claimed(store, job), DONE)
    assert store.cancel(job.id) is JobStatus.COMPLETED
    assert status_of(store, job) is JobStatus.COMPLETED


def test_a_result_after_the_cancel_is_dropped(store: JobStore) -> None:
    job = submitted(store)
    claim = claimed(store, job)
    store.cancel(job.id)
    assert not store.finish(claim, DONE)
    record = store.get(job.id)
    assert record is not None
    assert record.result is None


def test_cancel_of_an_unknown_job_finds_nothing(store: JobStore) -> None:
    assert store.cancel(str(uuid.uuid4())) is None


def test_a_deleted_job_leaves_nothing_but_its_message(store: JobStore) -> None:
    job = submitted(store)
    assert store.delete(job.id)
    assert not store.delete(job.id)
    owned = store.keys.owned("", 0).encode()  # forgets it when it is listed, or in time
    left = {key for key in store.client.keys("*") if not COUNTS.search(key)}
    assert left == {JOBS_QUEUE.encode(), owned}


def test_a_long_request_body_leaves_with_the_end_and_a_short_one_stays(store: JobStore) -> None:
    long, short = submitted(store, request=b"x" * 65), submitted(store, request=b"x" * 64)
    for job in (long, short):
        store.finish(claimed(store, job), replace(DONE, response_id=None))
    assert store.request_of(long.id) is None
    assert store.request_of(short.id) == short.request


def test_every_key_of_ended_jobs_expires(store: JobStore) -> None:
    for ending in (DONE, FAILED):
        store.finish(claimed(store, submitted(store)), ending)
    store.cancel(submitted(store).id)
    store.client.delete(JOBS_QUEUE)
    assert all(store.client.ttl(key) > 0 for key in store.client.keys("*"))


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ("MISCONF Redis is configured to save", ServiceUnavailable),
        ("CLUSTERDOWN The cluster is down", ServiceUnavailable),
        ("value is not an integer or out of range", InternalError),
    ],
)
def test_a_refusal_for_good_is_told_from_one_that_passes(said: str, raised: type) -> None:
    with pytest.raises(raised), store_errors():
        raise ResponseError(said)


def test_an_unreachable_redis_is_service_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    client = connect(f"redis://127.0.0.1:{port}/0")
    store = JobStore(client, Keys(queue=JOBS_QUEUE), StoreLimits())
    job = new_job()
    for act in (
        store.ping,
        lambda: store.create(job),
        lambda: store.get(job.id),
        lambda: store.find_by_response("r"),
        lambda: store.claim(job.id, "t"),
        lambda: store.heartbeat([(job.id, "t")], renew=True),
        lambda: store.cancel(job.id),
        lambda: store.delete(job.id),
        maintenance(store).now_ms,
        maintenance(store).counts,
    ):
        with pytest.raises(ServiceUnavailable):
            act()
    client.close()
