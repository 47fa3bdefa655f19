"""Deploys: what SIGTERM does to jobs, calls and streams, and how the others carry on."""

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.calling import events_of_text, poll_to_the_end, post, submit
from tests.support.processes import HOST, Muninn, StoreServer, free_port
from tests.support.strict import check_stream
from tests.support.upstream import HOLD, Upstream, json_answer
from tests.support.waiting import wait_until

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}
# A hand-back must not be mistaken for a rescue: no lease runs out in these tests.
LEASE_SECONDS = 60
AT_ONCE_SECONDS = 10  # a worker that is missed would be so after its lease
JOBS = 120


class Site:
    """A front without workers; each test starts its own."""

    def __init__(self, folder) -> None:
        self.upstream = Upstream(b"").__enter__()
        self.server = StoreServer(folder / "store")
        self.muninn = Muninn(
            folder,
            self.server.url,
            providers=json.dumps({"upstream": {"base_url": f"{self.upstream.url}/v1"}}),
            default_provider="upstream",
            lease_seconds=LEASE_SECONDS,
            shutdown_grace_seconds=30,
        )
        self.muninn.start_front()
        self.v1 = f"{self.muninn.root}/openai/v1"

    def stop(self) -> None:
        self.muninn.stop()
        self.server.stop()
        self.upstream.__exit__(None, None, None)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("deploys"))
    yield site
    site.stop()


@pytest.fixture(autouse=True)
def no_traces(site):
    site.upstream.seen.clear()


@pytest.fixture(scope="module")
def workers(site):
    """The workers that take jobs; each test leaves one."""
    return [site.muninn.start_worker()]


def test_a_stopping_worker_takes_no_new_jobs_and_a_second_signal_ends_its_grace(site, workers):
    site.upstream.script = [[HOLD], json_answer(ANSWER)]
    first = workers.pop()
    running = submit(site.v1, "m")
    held = site.upstream.wait_for_requests(1)
    first.signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in first.log_text(), "the signal is heard")
    waiting = submit(site.v1, "m")
    workers.append(site.muninn.start_worker(shutdown_grace_seconds=1))
    assert poll_to_the_end(site.v1, waiting)["status"] == "completed"
    assert not held.left.is_set()
    first.signal(signal.SIGTERM)
    assert held.left.wait(AT_ONCE_SECONDS)
    handed_back_at = time.monotonic()
    assert poll_to_the_end(site.v1, running)["status"] == "completed"
    assert time.monotonic() - handed_back_at < AT_ONCE_SECONDS
    assert first.end(10) == 0
    assert len(site.upstream.seen) == 3


def test_a_stopping_worker_ends_what_it_can_and_hands_the_rest_back_at_once(site, workers):
    come = threading.Event()
    site.upstream.script = [[HOLD], [come, json_answer(ANSWER)], json_answer(ANSWER)]
    first = workers.pop()
    long = submit(site.v1, "m")
    held = site.upstream.wait_for_requests(1)
    short = submit(site.v1, "m")
    site.upstream.wait_for_requests(2)
    workers.append(site.muninn.start_worker(shutdown_grace_seconds=1))
    first.signal(signal.SIGTERM)
    come.set()  # the short one ends within the grace period
    assert poll_to_the_end(site.v1, short)["status"] == "completed"
    assert held.left.wait(10)
    handed_back_at = time.monotonic()
    assert poll_to_the_end(site.v1, long)["status"] == "completed"
    assert time.monotonic() - handed_back_at < AT_ONCE_SECONDS
    assert first.end(10) == 0
    assert len(site.upstream.seen) == 3


def test_restarting_all_workers_under_load_loses_and_fails_nothing(site, workers):
    workers.append(site.muninn.start_worker(shutdown_grace_seconds=1))
    with ThreadPoolExecutor(8) as pool:
        submits = [pool.submit(submit, site.v1, f"echo/slow-{n % 8}00ms") for n in range(JOBS // 2)]
        for worker in workers:
            worker.signal(signal.SIGTERM)
            submits += [pool.submit(submit, site.v1, "echo/slow-2s") for _ in range(JOBS // 4)]
            site.muninn.start_worker()
            assert worker.end(10) == 0
        job_ids = [submit.result() for submit in submits]
        ends = list(pool.map(lambda job_id: poll_to_the_end(site.v1, job_id), job_ids))
    assert [job["status"] for job in ends] == ["completed"] * JOBS


def test_a_stopping_front_drops_no_call_and_no_stream(site):
    """After the other tests: it stops the front."""
    come = threading.Event()
    site.upstream.script = [[come, json_answer(ANSWER)]]
    body = {"model": "m", "input": "x"}
    stream = {"model": "echo/slow-2s", "input": "x", "stream": True}
    [front] = site.muninn.fronts
    streams = [requests.post(f"{site.v1}/responses", json=stream, stream=True) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(post, site.v1, body) for _ in range(3)]
        site.upstream.wait_for_requests(3)
        front.signal(signal.SIGTERM)
        wait_until(lambda: not accepts(site), "no new connections are taken")
        come.set()
        assert [call.result().status_code for call in calls] == [200] * 3
    for answer in streams:
        check_stream(events_of_text(answer.content))
    assert front.end(10) == 0


def test_a_front_obeys_a_second_signal(site):
    site.upstream.script = [[HOLD]]
    port = free_port()
    front = site.muninn.start_front(port)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(post, f"http://{HOST}:{port}/v1", {"model": "m", "input": "x"})
        site.upstream.wait_for_requests(1)
        front.signal(signal.SIGTERM)
        wait_until(lambda: "Stopping worker" in front.log_text(), "the first signal is heard")
        front.signal(signal.SIGTERM)
        front.end(AT_ONCE_SECONDS)
        assert isinstance(call.exception(), requests.ConnectionError)


def accepts(site):
    try:
        return requests.get(f"{site.muninn.root}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False
