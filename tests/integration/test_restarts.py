"""Processes that die while jobs run, a store that goes away, and how much runs at once."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from common.settings import Settings
from common.store import open_store
from tests.support.calling import (
    check_error,
    events_of_text,
    poll,
    poll_to_the_end,
    post,
    submit,
)
from tests.support.processes import HOST, Muninn, StoreServer
from tests.support.upstream import Upstream, json_answer, sse_answer
from tests.support.vendor import RESPONSE, events
from tests.support.waiting import wait_until

# For much at once on a machine that may be busy with something else.
SECONDS = 60


@pytest.fixture(scope="module")
def own_store(tmp_path_factory) -> Iterator[StoreServer]:
    """A store to be stopped; each test leaves it running."""
    server = StoreServer(tmp_path_factory.mktemp("own-store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(b"") as server:
        yield server


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, own_store, upstream) -> Iterator[Muninn]:
    """A Muninn to be killed; each test leaves a front and one worker running."""
    running = Muninn(
        tmp_path_factory.mktemp("fragile"),
        own_store.url,
        providers=json.dumps({"upstream": {"base_url": f"{upstream.url}/v1"}}),
        default_provider="echo",
        lease_seconds=2,
        max_attempts=10,
    )
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def url(fragile):
    return f"{fragile.root}/openai/v1"


@pytest.fixture
def records(own_store):
    store = open_store(Settings(redis_url=own_store.url))
    yield store
    store.client.close()


def is_running(url, job_id):
    return poll(url, job_id).json()["status"] == "in_progress"


def ready(fragile):
    return requests.get(f"{fragile.root}/readyz", timeout=10)


def test_jobs_of_a_killed_worker_are_finished_by_another(fragile, url):
    job_ids = [submit(url, "echo/slow-1s", input=f"job {number}") for number in range(20)]
    wait_until(lambda: all(is_running(url, job_id) for job_id in job_ids), "all run", 10)
    fragile.workers[-1].kill()
    assert [poll(url, job_id).status_code for job_id in job_ids] == [200] * 20
    fragile.start_worker()
    texts = [poll_to_the_end(url, job_id)["output_text"] for job_id in job_ids]
    assert texts == [f"job {number}" for number in range(20)]


def test_a_killed_front_loses_neither_running_jobs_nor_results(fragile, url):
    done = submit(url, "echo/hello")
    poll_to_the_end(url, done)
    running = submit(url, "echo/slow-2s")
    wait_until(lambda: is_running(url, running), "the job runs")
    fragile.fronts[-1].kill()
    with pytest.raises(requests.ConnectionError):
        poll(url, done)
    fragile.start_front()
    assert poll(url, done).json()["output_text"] == "hi"
    assert poll_to_the_end(url, running)["output_text"] == "hi"


def test_the_front_and_the_worker_killed_at_once_lose_nothing(fragile, url):
    job_ids = [submit(url, "echo/slow-500ms", input=f"job {number}") for number in range(10)]
    wait_until(lambda: any(is_running(url, job_id) for job_id in job_ids), "a job runs")
    fragile.workers[-1].kill()
    fragile.fronts[-1].kill()
    fragile.start_front()
    fragile.start_worker()
    texts = [poll_to_the_end(url, job_id)["output_text"] for job_id in job_ids]
    assert texts == [f"job {number}" for number in range(10)]


def test_a_killed_store_loses_no_job_that_was_accepted(fragile, own_store, url):
    finished = submit(url, "echo/hello", input="finished")
    poll_to_the_end(url, finished)
    fragile.workers[-1].stop()
    waiting = [submit(url, "echo/hello", input=f"job {number}") for number in range(50)]
    own_store.process.kill()
    own_store.restart()
    assert {poll(url, job_id).json()["status"] for job_id in waiting} == {"queued"}
    assert poll(url, finished).json()["output_text"] == "finished"
    fragile.start_worker()
    texts = [poll_to_the_end(url, job_id)["output_text"] for job_id in waiting]
    assert texts == [f"job {number}" for number in range(50)]


def test_a_result_that_comes_while_the_store_is_away_is_written_when_it_is_back(
    fragile, own_store, url, records
):
    job_id = submit(url, "echo/slow-1s")
    wait_until(lambda: is_running(url, job_id), "the job runs")
    own_store.process.kill()
    vain = f"job store unavailable: job_id={job_id} "
    wait_until(lambda: vain in fragile.workers[-1].log_text(), "the result cannot be written")
    own_store.restart()
    assert poll_to_the_end(url, job_id)["output_text"] == "hi"
    assert records.get(job_id).attempts == 1


def job_keys(records):
    return set(records.client.scan_iter("muninn:*:job:*"))


def test_without_the_store_calls_go_on_and_jobs_answer_503(fragile, own_store, url, records):
    before = job_keys(records)
    own_store.process.stop()
    try:
        body = {"model": "echo/hello", "input": "on we go"}
        assert post(url, body).json()["output_text"] == "on we go"
        stream = post(url, {**body, "stream": True})
        assert events_of_text(stream.content)[-1].name == b"response.completed"
        job_id = "00000000-0000-4000-8000-000000000000"
        refused = [
            post(url, body, x_bf_async="true"),
            post(url, {**body, "background": True}),
            poll(url, job_id),
            requests.get(f"{url}/responses/{job_id}", timeout=10),
            requests.delete(f"{url}/responses/{job_id}", timeout=10),
        ]
        for answer in refused:
            check_error(answer, 503, "service_unavailable", "service_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert ready(fragile).status_code == 503
        assert "redis" in ready(fragile).text
        assert requests.get(f"{fragile.root}/healthz", timeout=10).status_code == 200
    finally:
        own_store.restart()
    assert job_keys(records) == before
    assert ready(fragile).status_code == 200
    assert poll_to_the_end(url, submit(url))["output_text"] == "hi"


def test_one_worker_process_runs_200_jobs_at_once(url, records, upstream):
    answer_now = holding(upstream)
    job_ids = [submit(url, "upstream/m") for _ in range(200)]
    wait_until(lambda: len(upstream.seen) == 200, "all of them are called at once", SECONDS)
    answer_now.set()
    for job_id in job_ids:
        assert poll_to_the_end(url, job_id, SECONDS)["status"] == "completed"
    assert {records.get(job_id).attempts for job_id in job_ids} == {1}


@pytest.mark.parametrize("stream", ["false", "true"], ids=["inline", "stream"])
def test_one_front_process_serves_500_calls_at_once(fragile, upstream, stream):
    answer_now = holding(upstream, is_streamed=stream == "true")
    body = b'{"model": "upstream/m", "input": "one word", "stream": %b}' % stream.encode()
    head = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n"
    request = head % len(body) + b"\r\n" + body
    calls = [socket.create_connection((HOST, fragile.port), timeout=SECONDS) for _ in range(500)]
    for call in calls:
        call.sendall(request)
    wait_until(lambda: len(upstream.seen) == 500, "all of them are called at once", SECONDS)
    answer_now.set()
    answers = [read_all(call) for call in calls]
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers)
    assert all(b'"status":"completed"' in answer.replace(b" ", b"") for answer in answers)


def holding(upstream, is_streamed=False):
    """Have the provider answer nobody before this is set: whoever waits is waiting at once."""
    answer_now = threading.Event()
    answer = sse_answer(events()) if is_streamed else [json_answer(RESPONSE)]
    upstream.close_idle()
    upstream.seen.clear()
    upstream.script = [[lambda *_: answer_now.wait(SECONDS), *answer]]
    return answer_now


def read_all(sock):
    with sock:
        return b"".join(iter(lambda: sock.recv(65536), b""))
