"""Which workers are there, as far as the store knows."""

import logging

import pytest

from common.errors import ServiceUnavailable
from common.store.job_store import JobStore
from common.store.presence import HOLDS_MS, Presence, WorkerState
from tests.support.stored_jobs import maintenance
from tests.support.waiting import wait_until
from worker.presence import Attendance

WORKER = WorkerState("a:1:x", "a", 1, "0.1.0", slots=5, running=2, started_at_ms=1000)


class Away:
    """A store that is away."""

    def __init__(self) -> None:
        self.asked = 0

    def say(self, worker: WorkerState) -> None:
        self.asked += 1
        raise ServiceUnavailable("away")

    def leave(self, worker_id: str) -> None:
        self.asked += 1
        raise ServiceUnavailable("away")


@pytest.fixture
def presence(store: JobStore) -> Presence:
    return Presence(store)


def there(store: JobStore, later_ms: int = 0) -> list[str]:
    now_ms = maintenance(store).now_ms()
    return [worker.id for worker in Presence(store).workers(now_ms + later_ms)]


def test_a_worker_is_there_until_it_leaves(store: JobStore, presence: Presence) -> None:
    presence.say(WORKER)
    (seen,) = presence.workers(maintenance(store).now_ms())
    assert (seen.id, seen.slots, seen.running) == ("a:1:x", 5, 2)
    assert seen.seen_at_ms > 0
    presence.leave("a:1:x")
    assert there(store) == []


def test_one_that_says_nothing_is_forgotten(store: JobStore, presence: Presence) -> None:
    presence.say(WORKER)
    assert there(store, HOLDS_MS + 5_000) == []
    assert 0 < store.client.pttl(store.keys.workers()) <= HOLDS_MS
    silent = b'1000 {"id": "b:1:x"}'
    store.client.hset(store.keys.workers(), "b:1:x", silent)
    presence.say(WORKER)
    assert store.client.hkeys(store.keys.workers()) == [b"a:1:x"]


def test_a_worker_says_how_many_jobs_it_has_in_hand(store: JobStore) -> None:
    attendance = Attendance(Presence(store), 7, lambda: 3)
    attendance.start()
    try:
        wait_until(lambda: there(store), "it is there")
        (seen,) = Presence(store).workers(maintenance(store).now_ms())
        assert (seen.slots, seen.running) == (7, 3)
        assert seen.id.startswith(f"{seen.host}:{seen.pid}:")
    finally:
        attendance.stop()
    assert there(store) == []


def test_a_store_that_is_away_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    away = Away()
    attendance = Attendance(away, 7, lambda: 3)  # type: ignore[arg-type]
    with caplog.at_level(logging.DEBUG):
        attendance.start()
        wait_until(lambda: away.asked, "it has tried")
        attendance.stop()
    assert away.asked == 2
    assert caplog.records == []
