"""The line in which keys take turns, and the bound of a provider, kept by the scripts."""

import time
import uuid

import orjson
import pytest

from common.errors import RateLimited
from common.jobs import Claim, Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.gates import share_of
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, Keys
from common.store.maintenance import JobMaintenance
from tests.support.stored_jobs import indexed, maintenance, new_job, status_of

NOW_MS = int(time.time() * 1000)
DONE = Ending(JobStatus.COMPLETED, result=b"{}")
ENOUGH = 8  # messages in the queue; see prelude.lua
FAR_MS = 10**12


@pytest.fixture
def wide(redis_client) -> JobStore:
    return JobStore(redis_client, Keys(queue=JOBS_QUEUE), StoreLimits(max_queued_jobs=10_000))


def submit(store: JobStore, count: int = 1, **changes: object) -> list[NewJob]:
    jobs = [new_job(**{"created_at_ms": NOW_MS, **changes}) for _ in range(count)]
    for job in jobs:
        assert store.create(job, build_message(job.id))
    return jobs


def bounded(store: JobStore, count: int, bound: int = 1, **changes: object) -> list[NewJob]:
    return submit(store, count, provider="p", max_in_flight=bound, **changes)


def claim(store: JobStore, job: NewJob) -> Claim | None:
    return store.claim(job.id, uuid.uuid4().hex, build_message(job.id))


def take(store: JobStore, queue: str = JOBS_QUEUE) -> str | None:
    """The job of the next message, which is gone then."""
    message = store.client.rpop(queue)
    return orjson.loads(message)["headers"]["id"] if message else None


def served(store: JobStore, count: int) -> list[str]:
    """The next jobs that a worker with one slot runs to their end, first come first served."""
    ids: list[str] = []
    while len(ids) < count:
        job_id = take(store, CALLED_QUEUE) or take(store)
        assert job_id, "nobody is called"
        held = store.claim(job_id, uuid.uuid4().hex, build_message(job_id))
        if held:
            assert store.finish(held, DONE)
            ids.append(job_id)
    return ids


def ids_of(jobs: list[NewJob]) -> list[str]:
    return [job.id for job in jobs]


def test_one_job_is_not_behind_another_keys_crowd(wide: JobStore) -> None:
    submit(wide, 100, owner="key_a")
    assert wide.client.llen(JOBS_QUEUE) == ENOUGH
    (one,) = submit(wide, owner="key_b")
    assert served(wide, ENOUGH + 2).index(one.id) >= ENOUGH - 1


def test_keys_take_turns_and_each_keeps_its_order(wide: JobStore) -> None:
    crowd = {owner: submit(wide, 30, owner=owner) for owner in ("key_a", "key_b", "key_c")}
    order = served(wide, 90)
    for jobs in crowd.values():
        assert [job_id for job_id in order if job_id in ids_of(jobs)] == ids_of(jobs)
    owners = {job.id: owner for owner, jobs in crowd.items() for job in jobs}
    rounds = [owners[job_id] for job_id in order[ENOUGH : ENOUGH + 60]]
    assert [sorted(rounds[n : n + 3]) for n in range(0, 60, 3)] == [sorted(crowd)] * 20


def test_a_crowd_that_was_first_is_not_made_to_wait_for_what_came_later(wide: JobStore) -> None:
    submit(wide, 50, owner="key_a")
    submit(wide, 50, owner="key_b")
    order = served(wide, 100)
    assert len(set(order)) == 100


def test_jobs_without_a_key_leave_no_trace_of_lines_and_gates(wide: JobStore) -> None:
    submit(wide, 20)
    assert wide.client.llen(JOBS_QUEUE) == 20
    served(wide, 20)
    for name in ("held", "gates", "line:waiting"):
        assert not wide.client.exists(wide.keys.index(name, 0))


def test_a_message_that_is_lost_does_not_stop_the_line(wide: JobStore) -> None:
    jobs = submit(wide, 20, owner="key_a")
    wide.client.delete(JOBS_QUEUE)
    care = maintenance(wide)
    care.tend_gates(care.now_ms() + 2000)  # asks for those that are due then
    assert wide.client.llen(JOBS_QUEUE) == 0, "the server says when"
    wide.client.zadd(wide.keys.index("gates", 0), {wide.keys.index("line", 0): 1})
    care.tend_gates(care.now_ms())
    assert wide.client.llen(JOBS_QUEUE) == ENOUGH
    assert len(care.requeue_lost(care.now_ms() + FAR_MS)) == 2 * ENOUGH
    assert sorted(served(wide, 20)) == sorted(ids_of(jobs))


def test_a_message_of_a_job_that_has_ended_makes_room_in_the_queue_all_the_same(
    wide: JobStore,
) -> None:
    jobs = submit(wide, 20, owner="key_a")
    for job in jobs[:ENOUGH]:
        wide.delete(job.id)
    assert served(wide, 12) == ids_of(jobs[ENOUGH:])


def test_what_waits_in_the_line_or_at_a_gate_is_failed_at_the_queues_deadline(
    wide: JobStore,
) -> None:
    lined = submit(wide, ENOUGH + 1, owner="key_a")[-1]
    gated = bounded(wide, 2)
    assert claim(wide, gated[0])
    assert claim(wide, gated[1]) is None
    for job in (lined, gated[1]):
        assert indexed(wide, job) == ["held"]
    care = maintenance(wide)
    assert {lined.id, gated[1].id} <= set(care.expire_queued(care.now_ms() + FAR_MS))
    for job in (lined, gated[1]):
        assert status_of(wide, job) is JobStatus.FAILED
    assert not wide.client.exists(wide.keys.index("held", 0))


def test_what_waits_in_the_line_counts_as_waiting(store: JobStore) -> None:
    bounded(store, 5)
    with pytest.raises(RateLimited):
        submit(store)


@pytest.mark.parametrize("owner", ["", "key_a"])
def test_no_more_jobs_call_a_provider_than_may(wide: JobStore, owner: str) -> None:
    jobs = bounded(wide, 10, bound=3, owner=owner)
    claims = [claim(wide, job) for job in jobs]
    assert [held is not None for held in claims] == [True] * 3 + [False] * 7
    wide.client.delete(JOBS_QUEUE)  # all were taken
    (other,) = submit(wide, owner=owner, provider="q")
    assert claim(wide, other)


def test_a_job_for_a_full_provider_gets_no_message_until_there_is_a_place(wide: JobStore) -> None:
    first, second = bounded(wide, 2)
    held = claim(wide, first)
    assert held
    assert claim(wide, second) is None
    wide.client.delete(JOBS_QUEUE)
    (third,) = bounded(wide, 1)
    assert wide.client.llen(JOBS_QUEUE) == 0
    assert wide.finish(held, DONE)
    assert take(wide, CALLED_QUEUE) == second.id
    held = claim(wide, second)
    assert held
    wide.delete(second.id)
    assert take(wide, CALLED_QUEUE) == third.id


def test_keys_take_turns_at_a_provider_too(wide: JobStore) -> None:
    (first,) = bounded(wide, 1)
    held = claim(wide, first)
    assert held
    many = bounded(wide, 50, owner="key_a")
    one = bounded(wide, 1, owner="key_b")
    assert wide.finish(held, DONE)
    assert set(served(wide, 3)) == {many[0].id, many[1].id, one[0].id}


def test_a_job_that_waits_for_its_provider_has_one_of_its_keys_places(wide: JobStore) -> None:
    (first,) = bounded(wide, 1)
    held = claim(wide, first)
    assert held
    bounded(wide, 1, owner="key_a", max_running=1)
    (elsewhere,) = submit(wide, owner="key_a", max_running=1, provider="q")
    assert claim(wide, elsewhere) is None
    wide.finish(held, DONE)
    assert len(served(wide, 2)) == 2


def test_two_gates_do_not_wait_for_each_other(wide: JobStore) -> None:
    for _ in range(20):
        bounded(wide, 1, owner="key_a", max_running=1)
        submit(wide, 1, owner="key_a", max_running=1, provider="q", max_in_flight=1)
        bounded(wide, 1, owner="key_b", max_running=1)
    assert len(served(wide, 60)) == 60


def test_the_newest_bound_counts_for_those_that_wait_already(wide: JobStore) -> None:
    old = submit(wide, 4, owner="key_a", max_running=1)
    claims = [claim(wide, job) for job in old]
    assert [held is not None for held in claims] == [True, False, False, False]
    submit(wide, 1, owner="key_a", max_running=3)
    assert [take(wide, CALLED_QUEUE), take(wide, CALLED_QUEUE)] == ids_of(old[1:3])
    assert take(wide, CALLED_QUEUE) is None
    submit(wide, 1, owner="key_a", max_running=None)
    assert take(wide, CALLED_QUEUE) == old[3].id


def test_a_raised_bound_does_not_starve_older_jobs(wide: JobStore) -> None:
    old = submit(wide, 3, owner="key_a", max_running=1)
    assert claim(wide, old[0])
    for job in old[1:]:
        assert claim(wide, job) is None
    submit(wide, 20, owner="key_a", max_running=2)
    assert take(wide, CALLED_QUEUE) == old[1].id


def test_a_lowered_bound_counts_for_those_that_come(wide: JobStore) -> None:
    jobs = bounded(wide, 5, bound=3)
    claims = [held for job in jobs if (held := claim(wide, job))]
    bounded(wide, 1, bound=1)
    for held in claims[:2]:
        assert wide.finish(held, DONE)
        assert take(wide, CALLED_QUEUE) is None
    assert wide.finish(claims[2], DONE)
    assert take(wide, CALLED_QUEUE) == jobs[3].id


def test_a_call_that_was_not_heard_is_made_again_and_no_other(wide: JobStore) -> None:
    first, second = bounded(wide, 2)
    held = claim(wide, first)
    assert held
    assert claim(wide, second) is None
    wide.finish(held, DONE)
    care = maintenance(wide)
    assert care.promote_parked(care.now_ms() + 60_000) == [], "its message still waits"
    assert wide.client.llen(CALLED_QUEUE) == 1
    wide.client.delete(CALLED_QUEUE)
    assert care.promote_parked(care.now_ms() + 60_000) == [second.id]
    assert take(wide, CALLED_QUEUE) == second.id
    assert claim(wide, second)


def test_a_called_job_whose_worker_stops_is_passed_on(wide: JobStore) -> None:
    first, second = bounded(wide, 2)
    held = claim(wide, first)
    assert held
    assert claim(wide, second) is None
    wide.finish(held, DONE)
    assert take(wide, CALLED_QUEUE) == second.id
    passed_on = build_message(second.id)
    assert wide.pass_on(second.id, passed_on)
    care = maintenance(wide)
    assert care.promote_parked(care.now_ms() + 60_000) == [], "its new message is known"
    assert wide.client.lrange(CALLED_QUEUE, 0, -1) == [passed_on]


def test_jobs_that_are_tried_again_take_turns_with_the_others_of_their_key(wide: JobStore) -> None:
    jobs = submit(wide, 40, owner="key_a")
    tried = [held for job in jobs[:10] if (held := claim(wide, job))]
    for held in tried:
        assert wide.release(held, build_message(held.job_id), error={"code": "x"})
    (one,) = submit(wide, owner="key_b")
    wide.client.delete(JOBS_QUEUE)
    care = maintenance(wide)
    wide.client.zadd(wide.keys.index("gates", 0), {wide.keys.index("line", 0): 1})
    care.tend_gates(care.now_ms())
    soon = [take(wide) for _ in range(ENOUGH)]
    assert one.id in soon
    again = [job_id for job_id in soon if job_id in {held.job_id for held in tried}]
    assert 3 <= len(again) <= 5


def test_an_entry_of_a_job_that_was_made_anew_is_passed_over(wide: JobStore) -> None:
    first, second = bounded(wide, 2)
    held = claim(wide, first)
    assert held
    assert claim(wide, second) is None
    wide.client.delete(wide.keys.job(second.id))
    wide.client.zrem(wide.keys.index("held", 0), second.id)
    assert wide.create(second, build_message(second.id)), "it waits anew"
    wide.client.hset(wide.keys.job(second.id), "waits", "elsewhere")
    wide.finish(held, DONE)
    assert take(wide, CALLED_QUEUE) is None


def test_those_who_leave_a_gate_leave_nothing_there(wide: JobStore) -> None:
    jobs = [*bounded(wide, 3), *submit(wide, ENOUGH * 2, owner="key_a")]
    assert claim(wide, jobs[0])
    for job in jobs[1:3]:
        assert claim(wide, job) is None
    for job in reversed(jobs):
        assert wide.cancel(job.id) is JobStatus.CANCELLED
    kept = {key.decode() for key in wide.client.keys("*") if wide.client.ttl(key) == -1}
    assert kept == {JOBS_QUEUE}
    assert wide.delete(jobs[1].id)
    assert wide.create(jobs[1], build_message(jobs[1].id)), "it begins anew"
    assert claim(wide, jobs[1])


def test_with_another_broker_the_janitor_sends_the_call(redis_client) -> None:
    store = JobStore(redis_client, Keys(), StoreLimits())
    jobs = [new_job(created_at_ms=NOW_MS, provider="p", max_in_flight=1) for _ in "ab"]
    for job in jobs:
        store.create(job)
    held = store.claim(jobs[0].id, "t")
    assert held
    assert store.claim(jobs[1].id, "t") is None
    care = JobMaintenance(store, lambda job_id: b"")
    assert care.promote_parked(care.now_ms()) == []
    store.finish(held, DONE)
    assert care.promote_parked(care.now_ms()) == [jobs[1].id]
    assert store.claim(jobs[1].id, "t")


def test_the_line_moves_on_when_another_broker_carries_messages(wide: JobStore) -> None:
    jobs = submit(wide, ENOUGH + 3, owner="key_a")
    assert all(indexed(wide, job) == ["held"] for job in jobs[ENOUGH:])
    moved = JobStore(wide.client, Keys(), wide.limits)
    care = JobMaintenance(moved, lambda job_id: b"")
    wide.client.zadd(wide.keys.index("gates", 0), {wide.keys.index("line", 0): 1})
    care.tend_gates(care.now_ms())
    assert sorted(care.promote_parked(care.now_ms())) == sorted(ids_of(jobs[ENOUGH:]))
    assert all(moved.claim(job.id, job.id) for job in jobs)
    assert not wide.client.keys("*:gates")


@pytest.mark.parametrize(("bound", "partitions"), [(5, 1), (64, 32), (70, 32), (1000, 32)])
def test_the_shares_of_a_bound_make_up_the_bound(bound: int, partitions: int) -> None:
    assert sum(share_of(bound, n, partitions) for n in range(partitions)) == bound


def test_no_partition_has_no_share() -> None:
    assert {share_of(3, n, 32) for n in range(32)} == {1}
