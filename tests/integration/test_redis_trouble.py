"""Redis away, frozen, full, read-only: jobs are refused cleanly, and what runs goes on."""

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.store.pressure import LOOK_EVERY_SECONDS
from tests.support.calling import check_error, poll, poll_to_the_end, post, submit
from tests.support.processes import Muninn, StoreServer, free_port
from tests.support.upstream import Upstream, json_answer
from tests.support.waiting import wait_until

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}
LEASE_SECONDS = 2
# Not so long that a client gives up first, though others ask at the same time.
REFUSED_WITHIN_SECONDS = 10
BODY = {"model": "m", "input": "x"}


class Site:
    """A front, a worker, and a store that gets into trouble."""

    def __init__(self, folder) -> None:
        self.upstream = Upstream(b"").__enter__()
        self.server = StoreServer(folder / "store")
        self.muninn = Muninn(
            folder,
            self.server.url,
            providers=json.dumps({"upstream": {"base_url": f"{self.upstream.url}/v1"}}),
            default_provider="upstream",
            lease_seconds=LEASE_SECONDS,
        ).start()
        self.v1 = f"{self.muninn.root}/openai/v1"
        self.admin = self.server.client()

    def stop(self) -> None:
        self.admin.close()
        self.muninn.stop()
        self.server.stop()
        self.upstream.__exit__(None, None, None)

    def start_held_job(self) -> tuple[str, threading.Event]:
        """A job whose provider answers when the event is set."""
        come = threading.Event()
        self.upstream.seen.clear()
        self.upstream.script = [[come, json_answer(ANSWER)]]
        job_id = submit(self.v1, "m")
        self.upstream.wait_for_requests(1)
        return job_id, come

    def wait_for_vain_writing(self, job_id: str) -> None:
        """Until the worker has the answer, and could not write it."""
        [worker] = self.muninn.workers
        vain = f"job store unavailable: job_id={job_id} "
        wait_until(lambda: vain in worker.log_text(), "the worker cannot write the result")

    def leased_until_ms(self, job_id: str) -> float:
        return self.admin.zscore("muninn:{0}:running", job_id)

    def job_keys(self) -> set[bytes]:
        return set(self.admin.scan_iter("muninn:*:job:*"))

    def indexed(self) -> int:
        return sum(self.admin.zcard(f"muninn:{{0}}:{name}") for name in ("queued", "parked"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("trouble"))
    yield site
    site.stop()


def refused(site, *, body=BODY) -> None:
    """A submit that is answered 503, soon, and says when to come again."""
    started = time.monotonic()
    answer = post(site.v1, body, x_bf_async="true")
    assert time.monotonic() - started < REFUSED_WITHIN_SECONDS
    check_error(answer, 503, "service_unavailable", "service_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def inline_works(site) -> None:
    assert post(site.v1, {"model": "echo/hello", "input": "x"}).status_code == 200
    stream = post(site.v1, {"model": "echo/hello", "input": "x", "stream": True})
    assert b"response.completed" in stream.content


def accepts_again(site) -> None:
    """Front and worker have found their way back to the store."""
    wait_until(lambda: post(site.v1, BODY, x_bf_async="true").ok, "submits are accepted again")
    assert poll_to_the_end(site.v1, submit(site.v1, "echo/hello"))["status"] == "completed"


def test_a_killed_store_costs_no_call_and_no_result(site):
    job_id, come = site.start_held_job()
    before = site.job_keys()
    site.server.process.kill()
    refused(site)
    check_error(poll(site.v1, job_id), 503, "service_unavailable", "service_unavailable")
    inline_works(site)
    come.set()  # the answer comes while the store is away
    site.wait_for_vain_writing(job_id)
    site.server.restart()
    assert poll_to_the_end(site.v1, job_id)["id"] == ANSWER["id"]
    assert site.job_keys() == before
    assert len(site.upstream.seen) == 1
    accepts_again(site)


def test_a_call_that_outlives_its_lease_and_the_store_is_not_made_twice(site):
    job_id, come = site.start_held_job()
    until_ms = site.leased_until_ms(job_id)
    site.server.process.kill()
    wait_until(lambda: time.time() * 1000 > until_ms, "the lease has run out")
    site.server.restart()
    wait_until(lambda: site.leased_until_ms(job_id) > until_ms, "it is renewed, not missed")
    come.set()
    assert poll_to_the_end(site.v1, job_id)["status"] == "completed"
    assert len(site.upstream.seen) == 1


def test_a_frozen_store_refuses_and_forgets_what_was_refused(site):
    accepts_again(site)
    wait_until(lambda: site.indexed() == 0, "all is quiet")
    before = site.job_keys()
    site.upstream.seen.clear()
    site.server.process.signal(signal.SIGSTOP)
    try:
        bodies = [{**BODY, "input": f"refused {n}"} for n in range(3)]
        with ThreadPoolExecutor(len(bodies)) as pool:
            for done in [pool.submit(refused, site, body=body) for body in bodies]:
                done.result()
        inline_works(site)
    finally:
        site.server.process.signal(signal.SIGCONT)
    accepts_again(site)
    # The two that were accepted since, and none of those that were refused.
    assert len(site.job_keys() - before) == 2
    assert sum(b"refused" in seen.body for seen in site.upstream.seen) == 0


def test_a_full_store_refuses_jobs_and_takes_results_when_there_is_room(site):
    job_id, come = site.start_held_job()
    before = site.job_keys()
    site.admin.config_set("maxmemory", 1_000_000)  # less than it uses already
    try:
        time.sleep(LOOK_EVERY_SECONDS)  # a front that was just told of room does not ask again
        answer = post(site.v1, BODY, x_bf_async="true")
        check_error(answer, 429, "rate_limit_error", "store_full")
        assert int(answer.headers["retry-after"]) >= 1
        inline_works(site)
        come.set()
        site.wait_for_vain_writing(job_id)
        assert poll(site.v1, job_id).json()["status"] == "in_progress"
    finally:
        site.admin.config_set("maxmemory", 0)
    assert poll_to_the_end(site.v1, job_id)["status"] == "completed"
    assert site.job_keys() == before
    assert len(site.upstream.seen) == 1
    accepts_again(site)


def test_a_read_only_replica_refuses_jobs(site):
    job_id, come = site.start_held_job()
    before = site.job_keys()
    site.admin.replicaof("127.0.0.1", free_port())
    try:
        refused(site)
        inline_works(site)
        come.set()
        site.wait_for_vain_writing(job_id)
        assert poll(site.v1, job_id).json()["status"] == "in_progress"
    finally:
        site.admin.replicaof("NO", "ONE")
    assert poll_to_the_end(site.v1, job_id)["status"] == "completed"
    assert site.job_keys() == before
    accepts_again(site)
