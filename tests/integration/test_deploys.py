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
AT_ONCE_SECONDS = 1.5
# For so long after the first signal a worker hands nothing back, lest it get it again.
LISTENING_SECONDS = 1.2
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


def test_a_stopping_worker_ends_what_it_can_and_hands_the_rest_back_at_once(site):
    """The second worker takes no part before the first has handed the job to it."""
    come = threading.Event()
    site.upstream.script = [[HOLD], [come, json_answer(ANSWER)], json_answer(ANSWER)]
    first = site.muninn.start_worker(shutdown_grace_seconds=1)
    long = submit(site.v1, "m")
    held = site.upstream.wait_for_requests(1)
    short = submit(site.v1, "m")
    site.upstream.wait_for_requests(2)
    second = site.muninn.start_worker()
    first.signal(signal.SIGTERM)
    come.set()  # the short one ends within the grace period
    assert poll_to_the_end(site.v1, short)["status"] == "completed"
    assert held.left.wait(5)
    handed_back_at = time.monotonic()
    done = poll_to_the_end(site.v1, long)
    assert time.monotonic() - handed_back_at < AT_ONCE_SECONDS
    assert done["status"] == "completed"
    assert first.end(10) == 0
    assert len(site.upstream.seen) == 3
    assert second.stop() == 0


def test_a_second_signal_hands_back_without_a_grace_period(site):
    site.upstream.script = [[HOLD], json_answer(ANSWER)]
    worker = site.muninn.start_worker()
    job_id = submit(site.v1, "m")
    seen = site.upstream.wait_for_requests(1)
    worker.signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in worker.log_text(), "the first signal is heard")
    assert not seen.left.is_set()
    worker.signal(signal.SIGTERM)
    assert seen.left.wait(LISTENING_SECONDS + AT_ONCE_SECONDS)
    assert worker.end(10) == 0
    assert site.upstream.seen == [seen]
    next_worker = site.muninn.start_worker()
    assert poll_to_the_end(site.v1, job_id)["status"] == "completed"
    assert next_worker.stop() == 0


def test_a_stopping_worker_takes_no_new_jobs(site):
    site.upstream.script = [[HOLD], json_answer(ANSWER)]
    worker = site.muninn.start_worker()
    running = submit(site.v1, "m")
    site.upstream.wait_for_requests(1)
    worker.signal(signal.SIGTERM)
    wait_until(lambda: "Warm shutdown" in worker.log_text(), "the signal is heard")
    waiting = submit(site.v1, "m")
    other = site.muninn.start_worker()
    assert poll_to_the_end(site.v1, waiting)["status"] == "completed"
    requests.post(f"{site.v1}/responses/{running}/cancel", timeout=10)
    assert worker.end(10) == 0
    assert other.stop() == 0


def test_restarting_all_workers_under_load_loses_and_fails_nothing(site):
    workers = [site.muninn.start_worker(shutdown_grace_seconds=1) for _ in range(2)]
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
