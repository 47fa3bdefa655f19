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
from tests.support.calling import check_error, poll, post, submit
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
    assert 1 <= time.monotonic() - started < LOOK_AGAIN_SECONDS
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
    assert answered_at - ended_at < LOOK_AGAIN_SECONDS / 2


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
    heard = len(stage.muninn.fronts[0].log_text())
    stage.server.process.kill()
    [front] = stage.muninn.fronts
    wait_until(lambda: "waiting without notifications" in front.log_text()[heard:], "it is missed")
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
    assert wait_until(stage.listeners, "the front listens") == 1
    assert len(stage.store.client.client_list()) < MAX_CONNECTIONS + 5
    ended_at = stage.finish(job_id)
    replies = [answer.result() for answer in answers]
    assert {reply.json()["status"] for reply, _ in replies} == {"completed"}
    assert max(at for _, at in replies) - ended_at < LOOK_AGAIN_SECONDS
    assert poll(stage.v1, job_id).ok


def waiters(stage) -> int:
    """Connections of callers that are open at the front."""
    port = f"{stage.muninn.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return sum(row[1].endswith(f":{port}") and row[3] == "01" for row in rows)


@pytest.fixture(scope="module")
def small(stage, tmp_path_factory) -> Iterator[str]:
    """The address of a front that serves four calls at once, on the same store."""
    muninn = Muninn(
        tmp_path_factory.mktemp("small"),
        stage.server.url,
        default_provider="echo",
        front_threads=4,
        stream_heartbeat_seconds=0.1,
    )
    muninn.start_front()
    yield f"{muninn.root}/openai/v1"
    muninn.stop()


def test_those_who_wait_leave_room_for_others(stage, small, pool):
    job_id = submit(small)
    waits = [
        pool.submit(post, small, raw=b"", x_bf_async_id=job_id, prefer="wait=50") for _ in range(8)
    ]
    wait_until(lambda: sum(each.done() for each in waits) == 5, "five are sent away")
    turned_away = [each.result() for each in waits if each.done()]
    assert {each.json()["status"] for each in turned_away} == {"queued"}
    assert not [each for each in turned_away if APPLIED in each.headers]
    other_id = submit(small)
    assert post(small, {"model": "echo/hello", "input": "hi"}).status_code == 200
    stage.finish(job_id)
    served = [each.result() for each in waits if each.result() not in turned_away]
    assert [each.json()["status"] for each in served] == ["completed"] * 3
    assert {each.headers[APPLIED] for each in served} == {"wait=50"}
    stage.finish(other_id)


def test_those_who_watch_leave_room_for_others(stage, small):
    job_id = submit(small)
    watched = f"{small}/responses/{job_id}?stream=true"
    streams = [requests.get(watched, stream=True, timeout=10) for _ in range(3)]
    refused = requests.get(watched, timeout=10)
    check_error(refused, 429, "rate_limit_error", "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    jobs = f"{small.removesuffix('/openai/v1')}/v1/async/responses"
    before = requests.get(jobs, timeout=10).json()
    body = {"model": "echo/hello", "input": "hi", "background": True, "stream": True}
    assert post(small, body).status_code == 429
    assert requests.get(jobs, timeout=10).json() == before, "no job for a stream without a place"
    assert post(small, {"model": "echo/hello", "input": "hi"}).status_code == 200
    for stream in streams:
        stream.close()
    wait_until(lambda: requests.get(watched, stream=True, timeout=10).ok, "their places are free")
    stage.finish(job_id)
