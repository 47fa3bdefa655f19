"""``Prefer: wait=N``: woken by the store, whatever happens to the way there."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests

from common.jobs import Ending, JobStatus
from common.settings import Settings
from common.store import open_store
from common.store.connection import MAX_CONNECTIONS
from common.store.endings import LOOK_AGAIN_SECONDS
from common.store.keys import ENDED_CHANNEL
from tests.support.calling import poll, post, submit
from tests.support.processes import Muninn, StoreServer
from tests.support.waiting import wait_until

APPLIED = "preference-applied"
WAITERS = 200


class Stage:
    """A front and its store; the test itself plays the worker, and so knows to the millisecond
    when a job ends."""

    def __init__(self, folder) -> None:
        self.server = StoreServer(folder / "store")
        self.muninn = Muninn(folder, self.server.url, default_provider="echo")
        self.muninn.start_front()
        self.v1 = f"{self.muninn.root}/openai/v1"
        self.store = open_store(Settings(redis_url=self.server.url))

    def stop(self) -> None:
        self.store.client.close()
        self.muninn.stop()
        self.server.stop()

    def finish(self, job_id: str) -> float:
        """End the job; when that was."""
        claim = self.store.claim(job_id, uuid.uuid4().hex)
        ending = Ending(JobStatus.COMPLETED, result=b'{"id":"resp_1","status":"completed"}')
        assert self.store.finish(claim, ending)
        return time.monotonic()

    def looks(self) -> int:
        """How often the server was asked for a record."""
        stats = self.store.client.info("commandstats")
        return int(stats.get("cmdstat_hmget", {}).get("calls", 0))

    def listeners(self) -> int:
        return self.store.client.pubsub_numsub(ENDED_CHANNEL)[0][1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("waiting"))
    yield stage
    stage.stop()


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WAITERS) as pool:
        yield pool


def wait_for(stage, job_id, seconds=30) -> tuple[requests.Response, float]:
    """The answer to a poll that waits, and when it came."""
    answer = post(stage.v1, raw=b"", x_bf_async_id=job_id, prefer=f"wait={seconds}")
    return answer, time.monotonic()


def waiting(stage, pool, job_id) -> "Future[tuple[requests.Response, float]]":
    """A poll that waits by now, and hears what the store says."""
    before = stage.looks()
    future = pool.submit(wait_for, stage, job_id)
    wait_until(lambda: stage.looks() >= before + 2, "the front has found it and looked again")
    wait_until(stage.listeners, "the front listens")
    return future


def test_a_submit_that_waits_answers_the_result(v1):
    answer = post(
        v1, {"model": "echo/slow-300ms", "input": "x"}, x_bf_async="true", prefer="wait=20"
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "completed"
    assert answer.headers[APPLIED] == "wait=20"
    assert "retry-after" not in answer.headers


def test_a_poll_that_waits_answers_the_failure_of_a_job(v1):
    job_id = submit(v1, "echo/error-400")
    answer = post(v1, raw=b"", x_bf_async_id=job_id, prefer="respond-async, wait=20")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")


def test_a_get_waits_too(v1):
    job_id = submit(v1, "echo/slow-300ms")
    answer = requests.get(f"{v1}/responses/{job_id}", headers={"prefer": "wait=20"}, timeout=30)
    assert (answer.json()["status"], answer.headers[APPLIED]) == ("completed", "wait=20")


@pytest.mark.parametrize("submits", [True, False])
def test_when_the_time_is_up_the_answer_is_the_waiting_job(stage, submits):
    started = time.monotonic()
    if submits:
        body = {"model": "echo/hello", "input": "x"}
        answer = post(stage.v1, body, x_bf_async="true", prefer="wait=1")
    else:
        answer, _ = wait_for(stage, submit(stage.v1), seconds=1)
    assert 1 <= time.monotonic() - started < 1 + LOOK_AGAIN_SECONDS / 2
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert answer.headers[APPLIED] == "wait=1"
    assert answer.headers["retry-after"]


def test_no_preference_and_no_waiting(stage):
    job_id = submit(stage.v1)
    answer = post(stage.v1, raw=b"", x_bf_async_id=job_id, prefer="return=minimal")
    assert APPLIED not in answer.headers


def test_more_than_the_longest_time_is_the_longest_time(stage, pool):
    job_id = submit(stage.v1)
    answer = pool.submit(wait_for, stage, job_id, 3600)
    wait_until(stage.listeners, "the front listens")
    stage.finish(job_id)
    assert answer.result()[0].headers[APPLIED] == "wait=60"


def test_the_store_wakes_who_waits(stage, pool):
    job_id = submit(stage.v1)
    answer = waiting(stage, pool, job_id)
    ended_at = stage.finish(job_id)
    reply, answered_at = answer.result()
    assert reply.json()["status"] == "completed"
    assert answered_at - ended_at < LOOK_AGAIN_SECONDS / 10


def test_a_killed_notification_connection_costs_no_waiting(stage, pool):
    job_id = submit(stage.v1)
    answer = waiting(stage, pool, job_id)
    assert stage.store.client.client_kill_filter(_type="pubsub") >= 1
    ended_at = stage.finish(job_id)  # most often before the front listens again
    reply, answered_at = answer.result()
    assert reply.json()["status"] == "completed"
    assert answered_at - ended_at < LOOK_AGAIN_SECONDS / 2


def test_waiting_goes_on_over_a_restart_of_the_store(stage, pool):
    job_id = submit(stage.v1)
    answer = waiting(stage, pool, job_id)
    stage.server.process.kill()
    time.sleep(1)  # the store is away for a while
    stage.server.restart()
    ended_at = stage.finish(job_id)
    reply, answered_at = answer.result()
    assert reply.json()["status"] == "completed"
    assert answered_at - ended_at < LOOK_AGAIN_SECONDS


def test_a_deleted_job_ends_the_waiting_with_not_found(stage, pool):
    job_id = submit(stage.v1)
    answer = waiting(stage, pool, job_id)
    assert stage.store.delete(job_id)
    reply, _ = answer.result()
    assert reply.status_code == 404


def test_200_who_wait_share_a_few_connections(stage, pool):
    job_id = submit(stage.v1)
    answers = [pool.submit(wait_for, stage, job_id) for _ in range(WAITERS)]
    wait_until(lambda: waiters(stage) >= WAITERS, "all wait")
    assert stage.listeners() == 1
    assert len(stage.store.client.client_list()) < MAX_CONNECTIONS + 5
    ended_at = stage.finish(job_id)
    replies = [answer.result() for answer in answers]
    assert {reply.json()["status"] for reply, _ in replies} == {"completed"}
    assert max(at for _, at in replies) - ended_at < LOOK_AGAIN_SECONDS / 2
    assert poll(stage.v1, job_id).ok


def waiters(stage) -> int:
    """Connections of callers that are open at the front."""
    port = f"{stage.muninn.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return sum(row[1].endswith(f":{port}") and row[3] == "01" for row in rows)
