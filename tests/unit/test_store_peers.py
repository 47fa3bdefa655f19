"""A bound on the jobs that a key runs at once, kept by the scripts, on fakeredis."""

import random
import time
import uuid

import orjson
import pytest

from common.errors import RateLimited
from common.jobs import Claim, Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, Keys
from common.store.maintenance import JobMaintenance
from tests.unit.test_store import indexed, lease_runs_out, maintenance, status_of, submitted

NOW_MS = int(time.time() * 1000)
DONE = Ending(JobStatus.COMPLETED, result=b"{}")


def bounded(store: JobStore, count: int, max_running: int = 1, **changes: object) -> list[NewJob]:
    """New jobs of one key, the oldest first."""
    fields = {"owner": "key_1", "max_running": max_running, **changes}
    return [submitted(store, created_at_ms=NOW_MS + n, **fields) for n in range(count)]


def claim(store: JobStore, job: NewJob, message: bytes | None = None) -> Claim | None:
    message = build_message(job.id) if message is None else message
    return store.claim(job.id, uuid.uuid4().hex, message)


def messages(store: JobStore) -> list[str]:
    """The jobs that have a message, the next first; those that were called at the front."""
    called, queued = (store.client.lrange(name, 0, -1) for name in (CALLED_QUEUE, JOBS_QUEUE))
    return [orjson.loads(message)["headers"]["id"] for message in reversed([*queued, *called])]


def running(store: JobStore) -> set[str]:
    return {member.decode() for member in store.client.smembers(store.keys.peers("key_1", 0))}


def tend(store: JobStore) -> None:
    """The janitor looks at all gates now."""
    gates = store.keys.index("gates", 0)
    for gate in store.client.zrange(gates, 0, -1):
        store.client.zadd(gates, {gate: 1})
    care = maintenance(store)
    care.tend_gates(care.now_ms())


def test_over_the_bound_a_job_waits_and_is_not_failed(store: JobStore) -> None:
    first, second = bounded(store, 2)
    assert claim(store, first)
    assert claim(store, second) is None
    assert status_of(store, second) is JobStatus.QUEUED
    assert indexed(store, second) == ["held"]
    assert running(store) == {first.id}


def test_the_oldest_is_called_as_soon_as_a_place_is_free(store: JobStore) -> None:
    first, second, third = bounded(store, 3)
    held = claim(store, first)
    assert held
    assert not claim(store, second)
    assert not claim(store, third)
    store.client.delete(JOBS_QUEUE)

    assert store.finish(held, DONE)
    assert messages(store) == [second.id]
    assert indexed(store, second) == ["parked"], "to be called again if that is not heard"
    assert claim(store, second)
    assert running(store) == {second.id}


def test_a_job_that_was_called_keeps_its_place_from_a_newcomer(store: JobStore) -> None:
    first, second = bounded(store, 2)
    held = claim(store, first)
    assert held
    assert not claim(store, second)
    store.finish(held, DONE)
    (newcomer,) = bounded(store, 1)
    assert claim(store, newcomer) is None
    assert claim(store, second)


def end_by_failure(store: JobStore, held: Claim) -> None:
    assert store.finish(held, Ending(JobStatus.FAILED, error={"code": "x"}))


def end_by_cancel(store: JobStore, held: Claim) -> None:
    store.cancel(held.job_id)


def end_by_delete(store: JobStore, held: Claim) -> None:
    store.delete(held.job_id)


def end_by_retry(store: JobStore, held: Claim) -> None:
    assert store.release(held, b"", delay_seconds=60, error={"code": "x"})


def end_by_hand_back(store: JobStore, held: Claim) -> None:
    assert store.release(held, build_message(held.job_id))


def end_by_rescue(store: JobStore, held: Claim) -> None:
    store.client.zadd(store.keys.index("running", 0), {held.job_id: 1})
    care = JobMaintenance(store, build_message)
    assert care.rescue(care.now_ms(), 3) == {held.job_id: "requeued"}


@pytest.mark.parametrize(
    "end",
    [end_by_failure, end_by_cancel, end_by_delete, end_by_retry, end_by_hand_back, end_by_rescue],
)
def test_however_a_job_stops_running_the_next_is_called(store: JobStore, end) -> None:
    first, second = bounded(store, 2)
    held = claim(store, first)
    assert held
    assert not claim(store, second)
    end(store, held)
    assert second.id in messages(store)
    assert running(store) == {second.id}
    assert claim(store, second)


def test_a_bound_counts_for_its_own_key_alone(store: JobStore) -> None:
    first, _ = bounded(store, 2)
    (other,) = bounded(store, 1, owner="key_2")
    free = submitted(store, owner="key_3")
    assert claim(store, first)
    assert claim(store, other)
    assert claim(store, free)


def test_as_many_run_as_the_bound_says(store: JobStore) -> None:
    jobs = bounded(store, 5, max_running=3)
    assert [claim(store, job) is not None for job in jobs] == [True] * 3 + [False] * 2


def test_a_waiting_job_that_ends_is_not_called(store: JobStore) -> None:
    first, second, third = bounded(store, 3)
    held = claim(store, first)
    assert held
    assert not claim(store, second)
    assert not claim(store, third)
    store.cancel(second.id)
    store.finish(held, DONE)
    assert running(store) == {third.id}


def test_with_another_broker_the_janitor_carries_the_call(store: JobStore) -> None:
    first, second = bounded(store, 2)
    held = claim(store, first)
    assert held
    assert claim(store, second, b"") is None
    store.finish(held, DONE)
    care = JobMaintenance(store, lambda job_id: b"")
    assert care.promote_parked(care.now_ms()) == [second.id]
    assert running(store) == {second.id}, "it keeps its place on the way"
    assert claim(store, second, b"")


def test_a_place_whose_job_is_gone_is_found_and_given_away(store: JobStore) -> None:
    first, second = bounded(store, 2)
    assert claim(store, first)
    assert claim(store, second) is None
    lease_runs_out(store, first)
    store.client.zrem(store.keys.index("running", 0), first.id)
    store.client.delete(store.keys.job(first.id))
    tend(store)
    assert second.id in messages(store)
    assert claim(store, second)
    assert running(store) == {second.id}


def test_a_job_past_its_queue_deadline_is_let_through_for_its_worker_to_tell(
    store: JobStore,
) -> None:
    now_ms = maintenance(store).now_ms()
    first, second = (submitted(store, owner="key_1", max_running=1) for _ in range(2))
    long_ago = now_ms - store.limits.queue_deadline_ms - 1
    store.client.hset(store.keys.job(second.id), "created_at", long_ago)
    assert claim(store, first)
    assert claim(store, second)


def test_held_jobs_count_as_waiting_ones(store: JobStore) -> None:
    jobs = bounded(store, 5)
    assert [claim(store, job) is not None for job in jobs] == [True] + [False] * 4
    bounded(store, 1)
    with pytest.raises(RateLimited):
        bounded(store, 1)


def test_nothing_of_it_stays_for_ever(store: JobStore) -> None:
    jobs = bounded(store, 3)
    held, *_ = [claim(store, job) for job in jobs]
    assert held
    store.finish(held, DONE)
    for job in jobs:
        store.delete(job.id)
    tend(store)
    for key in store.client.keys("*"):
        is_queue = key.decode() in (JOBS_QUEUE, CALLED_QUEUE)  # messages of jobs that are gone
        assert is_queue or store.client.ttl(key) > 0, key


class Crowd:
    """Jobs of one key, in the hands of workers and a janitor that do what they like."""

    def __init__(self, store: JobStore, max_running: int, count: int) -> None:
        self.store = store
        self.max_running = max_running
        self.care = maintenance(store)
        self.jobs = bounded(store, count, max_running)
        self.claims: dict[str, Claim] = {}

    def step(self, choice: random.Random) -> None:
        job = choice.choice(self.jobs)
        held = self.claims.pop(job.id, None)
        if held is None:
            found = claim(self.store, job)
            if found is not None:
                self.claims[job.id] = found
        else:
            choice.choice([self.finish, end_by_cancel, end_by_retry, end_by_hand_back, self.lose])(
                self.store, held
            )
        if choice.random() < 0.2:
            self.care.promote_parked(self.care.now_ms() + choice.choice([0, 10**7]))

    def finish(self, store: JobStore, held: Claim) -> None:
        assert store.finish(held, DONE)

    def lose(self, store: JobStore, held: Claim) -> None:
        store.client.zadd(store.keys.index("running", 0), {held.job_id: 1})
        self.care.rescue(self.care.now_ms(), 100)

    def check(self) -> None:
        places = running(self.store)
        assert set(self.claims) <= places
        assert len(places) <= self.max_running
        waiting = self.store.client.zcard(self.store.keys.peers("key_1", 0) + ":waiting")
        assert waiting == 0 or len(places) == self.max_running, "a place is free and nobody called"


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_bound_holds_and_no_place_stays_free(redis_client, seed: int) -> None:
    choice = random.Random(seed)
    limits = StoreLimits(max_queued_jobs=100)
    crowd = Crowd(JobStore(redis_client, Keys(queue=JOBS_QUEUE), limits), 1 + seed % 3, 8)
    for _ in range(150):
        crowd.step(choice)
        crowd.check()


def test_a_message_kept_for_a_broker_that_is_no_more_does_not_keep_a_job_from_ending(
    store: JobStore,
) -> None:
    first, second = bounded(store, 2)
    held = claim(store, first)
    assert held
    assert claim(store, second) is None
    moved = JobStore(store.client, Keys(), store.limits)
    assert moved.finish(held, DONE)
    assert status_of(store, first) is JobStatus.COMPLETED
    care = JobMaintenance(moved, lambda job_id: b"")
    assert care.promote_parked(care.now_ms()) == [second.id]


def test_a_worker_hears_of_a_cancel_when_a_provider_works_on_the_job_that_waits_for_a_place(
    store: JobStore,
) -> None:
    first, second = bounded(store, 2)
    held = claim(store, second)
    assert held
    assert store.note_upstream(held, "resp_1")
    assert store.release(held, build_message(second.id))
    assert claim(store, first)
    assert claim(store, second) is None
    store.client.delete(JOBS_QUEUE)  # all messages were taken
    assert store.cancel(second.id, build_message(second.id)) is JobStatus.CANCELLED
    assert messages(store) == [second.id]
    assert store.abandoned_upstream(second.id)
