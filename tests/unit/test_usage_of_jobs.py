"""A job counts once, in the minute and on the day of its end, however it ends."""

import uuid
from dataclasses import replace
from itertools import pairwise

import pytest

from common.jobs import Ending, JobStatus
from common.store.job_store import JobStore
from common.store.overview import last_hour
from common.store.usage import DAY_SECONDS, UsageStore
from common.usage import Usage
from tests.support.stored_jobs import (
    DONE,
    FAILED,
    claimed,
    lease_runs_out,
    maintenance,
    new_job,
    submitted,
)

USED = replace(DONE, usage=Usage(3, 4, 500))
FULL = {"jobs": 1, "input_tokens": 3, "output_tokens": 4, "nano_dollars": 500}


def now_ms(store: JobStore) -> int:
    return maintenance(store).now_ms()


def used(store: JobStore, owner: str = "key_1") -> dict[str, int]:
    today = now_ms(store) // (DAY_SECONDS * 1000)
    rows = UsageStore(store).read(today - 1, today, owner)  # a day may have ended meanwhile
    return {name: sum(row.counts[name] for row in rows) for row in rows for name in row.counts}


def happened(store: JobStore) -> dict[str, int]:
    minutes = last_hour(store, now_ms(store))
    return {
        name: count
        for name in minutes[0].counts
        if (count := sum(minute.counts[name] for minute in minutes))
    }


def test_a_completed_job_counts_with_what_it_used(store: JobStore) -> None:
    job = submitted(store, owner="key_1")
    assert used(store) == {}
    assert store.finish(claimed(store, job), USED)
    assert used(store) == FULL
    assert used(store, "key_2") == {}
    assert happened(store) == {"submitted": 1, "completed": 1}


def test_an_ending_that_is_written_twice_counts_once(store: JobStore) -> None:
    claim = claimed(store, submitted(store, owner="key_1"))
    assert [store.finish(claim, USED), store.finish(claim, USED)] == [True, False]
    assert used(store) == FULL


def test_an_overtaken_attempt_counts_only_if_it_comes_first(store: JobStore) -> None:
    job = submitted(store, owner="key_1")
    first = claimed(store, job)
    lease_runs_out(store, job)
    maintenance(store).rescue(now_ms(store), max_attempts=3)
    second = claimed(store, job)
    assert not store.finish(first, replace(FAILED, usage=Usage(9, 9, 9))), "not its to fail"
    assert store.finish(first, USED)
    assert not store.finish(second, replace(DONE, usage=Usage(7, 7, 7)))
    assert used(store) == FULL
    assert happened(store) == {"submitted": 1, "completed": 1}


def test_a_job_that_failed_counts_with_what_it_used_all_the_same(store: JobStore) -> None:
    assert store.finish(claimed(store, submitted(store, owner="key_1")), FAILED)
    assert used(store) == {"jobs": 1}
    ending = Ending(JobStatus.FAILED, result=b"{}", usage=Usage(1, 0, 2))
    assert store.finish(claimed(store, submitted(store, owner="key_1")), ending)
    assert used(store) == {"jobs": 2, "input_tokens": 1, "nano_dollars": 2}
    assert happened(store) == {"submitted": 2, "failed": 2}


@pytest.mark.parametrize("end", ["cancel", "delete"])
@pytest.mark.parametrize("is_running", [False, True])
def test_a_job_that_was_cancelled_or_deleted_counts_as_one(
    store: JobStore, end: str, is_running: bool
) -> None:
    job = submitted(store, owner="key_1")
    if is_running:
        claimed(store, job)
    getattr(store, end)(job.id)
    getattr(store, end)(job.id)
    assert used(store) == {"jobs": 1}
    assert happened(store) == {"submitted": 1, "cancelled": 1}


def test_deleting_an_ended_job_changes_no_count(store: JobStore) -> None:
    job = submitted(store, owner="key_1")
    store.finish(claimed(store, job), USED)
    store.delete(job.id)
    assert used(store) == FULL
    assert happened(store) == {"submitted": 1, "completed": 1}


def test_lost_and_late_jobs_count_as_failed(store: JobStore) -> None:
    lost, late = submitted(store, owner="key_1"), submitted(store, owner="key_1")
    claimed(store, lost)
    lease_runs_out(store, lost)
    maintenance(store).rescue(now_ms(store), max_attempts=1)
    maintenance(store).expire_queued(now_ms(store) + 1)
    assert store.get(late.id).status is JobStatus.FAILED
    assert used(store) == {"jobs": 2}
    assert happened(store) == {"submitted": 2, "failed": 2}


def test_a_repeated_submit_counts_once(store: JobStore) -> None:
    job = new_job(owner="key_1")
    assert store.create(job)
    store.create(job)
    store.create(replace(job, submission=uuid.uuid4().hex))
    assert happened(store) == {"submitted": 1}


def test_jobs_of_nobody_are_counted_for_nobody(store: JobStore) -> None:
    store.finish(claimed(store, submitted(store)), USED)
    assert used(store, "") == FULL


def test_counting_that_fails_does_not_keep_a_job_from_ending(store: JobStore) -> None:
    today = now_ms(store) // (DAY_SECONDS * 1000)
    for day in (today, today + 1):
        store.client.set(store.keys.usage(day, 0), "no hash")
    job = submitted(store, owner="key_1")
    assert store.finish(claimed(store, job), USED)
    assert store.get(job.id).status is JobStatus.COMPLETED


def test_what_happened_in_a_minute_is_kept_for_two_hours(store: JobStore) -> None:
    submitted(store)
    (key,) = store.client.keys("*:minute:*")
    assert 0 < store.client.ttl(key) <= 7200
    hour = last_hour(store, now_ms(store))
    assert len(hour) == 60
    assert [b.start_ms - a.start_ms for a, b in pairwise(hour)] == [60_000] * 59
    assert last_hour(store, now_ms(store) + 2 * 3_600_000)[0].counts["submitted"] == 0
