"""Waiting for the end of jobs, on fakeredis; the real thing is driven in the integration tests."""

import threading
import time
from collections.abc import Iterator

import fakeredis
import pytest

from common.errors import JobNotFound, ServiceUnavailable
from common.jobs import JobRecord, JobStatus
from common.store import endings as module
from common.store.endings import Endings
from common.store.keys import ENDED_CHANNEL
from tests.support.waiting import wait_until

JOB = "00000000-0000-4000-8000-000000000001"
SOON_SECONDS = 10.0


def record(status: JobStatus) -> JobRecord:
    return JobRecord(id=JOB, status=status, owner="", shape=b"{}", attempts=0, created_at_ms=0)


class Job:
    """A job that is looked at: a status, or an exception."""

    def __init__(self) -> None:
        self.state: JobStatus | Exception = JobStatus.QUEUED
        self.looks = 0

    def look(self) -> JobRecord:
        self.looks += 1
        if isinstance(self.state, Exception):
            raise self.state
        return record(self.state)


@pytest.fixture
def endings(redis_client: fakeredis.FakeRedis, monkeypatch) -> Iterator[Endings]:
    """Nobody looks again by himself within a test's time."""
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 60.0)
    monkeypatch.setattr(module, "PING_SECONDS", 0.05)
    return Endings(redis_client)


@pytest.fixture
def job() -> Job:
    return Job()


class Waiter(threading.Thread):
    """Waits in a thread; ``outcome`` is the record or the exception."""

    def __init__(self, endings: Endings, job: Job, seconds: float = 30) -> None:
        super().__init__(daemon=True)
        self.outcome: object = None
        self._wait = lambda: endings.wait(JOB, job.look, seconds)
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._wait()
        except Exception as error:
            self.outcome = error

    def result(self) -> object:
        self.join(SOON_SECONDS)
        assert not self.is_alive(), "still waiting"
        return self.outcome


def waiting(endings: Endings, job: Job, client: fakeredis.FakeRedis) -> Waiter:
    waiter = Waiter(endings, job)
    wait_until(lambda: client.pubsub_numsub(ENDED_CHANNEL)[0][1] == 1, "it listens")
    wait_until(lambda: job.looks >= 2, "it has looked again since it listens")
    return waiter


def test_a_job_that_has_ended_is_answered_without_waiting(endings, job):
    job.state = JobStatus.COMPLETED
    assert endings.wait(JOB, job.look, 30).is_ended
    assert job.looks == 1


def test_when_the_time_is_up_the_job_is_answered_as_it_is(endings, job):
    started = time.monotonic()
    assert endings.wait(JOB, job.look, 0.1).status is JobStatus.QUEUED
    assert time.monotonic() - started >= 0.1


def test_the_notification_wakes_all_who_wait_for_the_job(endings, job, redis_client):
    waiters = [waiting(endings, job, redis_client), Waiter(endings, job)]
    wait_until(lambda: job.looks >= 3, "both wait")
    job.state = JobStatus.COMPLETED
    redis_client.publish(ENDED_CHANNEL, JOB)
    assert {waiter.result().status for waiter in waiters} == {JobStatus.COMPLETED}


def test_the_notification_of_another_job_wakes_nobody(endings, job, redis_client):
    waiter = waiting(endings, job, redis_client)
    looks = job.looks
    redis_client.publish(ENDED_CHANNEL, "another")
    job.state = JobStatus.CANCELLED
    redis_client.publish(ENDED_CHANNEL, JOB)
    assert waiter.result().status is JobStatus.CANCELLED
    assert job.looks == looks + 1


def test_a_job_that_is_gone_ends_the_waiting(endings, job, redis_client):
    waiter = waiting(endings, job, redis_client)
    job.state = JobNotFound()
    redis_client.publish(ENDED_CHANNEL, JOB)
    assert isinstance(waiter.result(), JobNotFound)


def test_a_store_that_is_away_for_a_while_does_not_end_the_waiting(endings, job, monkeypatch):
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(module, "LOOK_AGAIN_UNHEARD_SECONDS", 0.02)
    job.state = ServiceUnavailable("away")
    waiter = Waiter(endings, job)
    wait_until(lambda: job.looks > 3, "it looks again and again")
    job.state = JobStatus.COMPLETED
    assert waiter.result().status is JobStatus.COMPLETED


def test_a_store_that_is_still_away_at_the_end_of_the_time_is_said_so(endings, job):
    job.state = ServiceUnavailable("away")
    with pytest.raises(ServiceUnavailable):
        endings.wait(JOB, job.look, 0.05)


def test_nobody_who_has_left_is_remembered(endings, job):
    endings.wait(JOB, job.look, 0.01)
    assert endings._waiting == {}


class DeadPubSub:
    """A connection on which nothing ever comes."""

    pings = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def subscribe(self, channel):
        return None

    def get_message(self, timeout):
        time.sleep(timeout)

    def ping(self):
        type(self).pings += 1


def test_a_connection_that_answers_no_ping_is_given_up(job, redis_client, monkeypatch):
    """A network that swallows everything looks like a quiet one."""
    monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "LOOK_AGAIN_UNHEARD_SECONDS", 60.0)
    alive = redis_client.pubsub
    connections = iter([DeadPubSub(), alive()])
    monkeypatch.setattr(redis_client, "pubsub", lambda: next(connections))
    waiter = waiting(Endings(redis_client), job, redis_client)
    assert DeadPubSub.pings > 0
    job.state = JobStatus.COMPLETED
    redis_client.publish(ENDED_CHANNEL, JOB)
    assert waiter.result().status is JobStatus.COMPLETED
