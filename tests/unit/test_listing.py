"""The list of an owner's jobs, on fakeredis."""

import functools
import operator
import uuid
from dataclasses import replace

import pytest

from common.errors import InvalidValue
from common.jobs import Ending, JobStatus, NewJob
from common.store import listing
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import Keys
from common.store.listing import list_jobs


@pytest.fixture(params=[1, 4], ids=["one partition", "four partitions"])
def store(redis_client, request):
    limits = StoreLimits(max_queued_jobs=10_000)
    return JobStore(redis_client, Keys(request.param), limits)


def made(store, owner="", **fields):
    job = NewJob(
        id=str(uuid.uuid4()),
        owner=owner,
        request=b"{}",
        options=b"{}",
        shape=b"{}",
        ttl_seconds=60,
        created_at_ms=1,
        fingerprint="f",
        submission=uuid.uuid4().hex,
    )
    job = replace(job, **fields)
    assert store.create(job)
    return job.id


def placed(store, job_id, at_ms, owner=""):
    """As if it had been created at that time."""
    key = store.keys.owned(owner, store.keys.partition_of(job_id))
    store.client.zadd(key, {job_id: at_ms})


def pages(store, limit, owner="", **more):
    cursor, found = None, []
    while True:
        page = list_jobs(store, owner, limit=limit, cursor=cursor, **more)
        found.append([job.id for job in page.jobs])
        cursor = page.next_cursor
        if cursor is None:
            return found


def ids(store, limit=100, **more):
    return [job_id for page in pages(store, limit, **more) for job_id in page]


def test_newest_first(store):
    made_ids = [made(store) for _ in range(5)]
    for at_ms, job_id in enumerate(made_ids):
        placed(store, job_id, at_ms)
    assert ids(store) == made_ids[::-1]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_have_no_gap_and_no_repeat_also_within_one_millisecond(store, limit):
    made_ids = [made(store) for _ in range(30)]
    for number, job_id in enumerate(made_ids):
        placed(store, job_id, 1000 + number // 10)
    found = pages(store, limit)
    assert sorted(functools.reduce(operator.iadd, found, [])) == sorted(made_ids)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1], "the last page has something"


def test_more_than_a_batch_of_the_same_millisecond_is_read_through(store):
    made_ids = [made(store) for _ in range(listing.BATCH * 2 + 50)]
    for job_id in made_ids:
        placed(store, job_id, 1000)
    assert sorted(ids(store, limit=60)) == sorted(made_ids)


def test_jobs_of_another_owner_are_not_there(store):
    mine, theirs = made(store, "me"), made(store, "them")
    assert ids(store, owner="me") == [mine]
    assert ids(store, owner="them") == [theirs]
    assert ids(store, owner="") == []


def test_deleted_and_expired_jobs_leave_the_list(store):
    kept, deleted, expired = made(store), made(store), made(store)
    store.delete(deleted)
    store.client.delete(store.keys.job(expired))
    assert ids(store) == [kept]
    left = [
        job_id.decode()
        for partition in range(store.keys.partitions)
        for job_id in store.client.zrange(store.keys.owned("", partition), 0, -1)
    ]
    assert left == [kept]


def test_a_filter_decides_which_are_shown_and_counted(store):
    made_ids = [made(store) for _ in range(6)]
    for at_ms, job_id in enumerate(made_ids):
        placed(store, job_id, at_ms)
    for job_id in made_ids[::2]:
        store.cancel(job_id)
    chosen = pages(store, 2, matches=lambda job: job.status is JobStatus.CANCELLED)
    assert chosen == [[made_ids[4], made_ids[2]], [made_ids[0]]]


def test_a_page_looks_at_so_many_jobs_and_no_more(store, monkeypatch):
    monkeypatch.setattr(listing, "LOOKS_AT", 4)
    made_ids = [made(store) for _ in range(9)]
    for at_ms, job_id in enumerate(made_ids):
        placed(store, job_id, at_ms)
    found = pages(store, 5, matches=lambda job: job.id == made_ids[0])
    assert found == [[], [], [made_ids[0]]]


def test_results_are_not_read_for_the_list(store):
    job_id = made(store)
    claim = store.claim(job_id, "token")
    store.finish(claim, Ending(JobStatus.COMPLETED, result=b"{}"))
    (job,) = list_jobs(store, "", limit=1).jobs
    assert (job.status, job.result) == (JobStatus.COMPLETED, None)


@pytest.mark.parametrize("cursor", ["", "x", "eA==", "LzE=", "MS8=", "é", "-1"])
def test_a_bad_cursor_names_its_field(store, cursor):
    with pytest.raises(InvalidValue) as caught:
        list_jobs(store, "", limit=1, cursor=cursor)
    assert caught.value.param == "after"
