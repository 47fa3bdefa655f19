"""Bounds over all workers, and keys that take turns, on real processes: two workers of 4 slots."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from common.jobs import JobRecord
from common.store.keys import JOBS_QUEUE
from tests.support.guarded import Guarded, call
from tests.support.processes import Muninn, StoreServer
from tests.support.upstream import Peer, Seen, Upstream, json_answer
from tests.support.waiting import wait_until

ANSWER = json_answer({"id": "resp_1", "object": "response", "status": "completed", "output": []})
SLOTS = 4
CROWD = 200


@dataclass
class Counter:
    """Answers after a moment, or when it is let go, and knows how many calls it had at once."""

    seconds: float = 0.05
    go: threading.Event = field(default_factory=threading.Event)
    now: int = 0
    most: int = 0
    served: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, peer: Peer, seen: Seen) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(self.seconds)
        with self.lock:
            self.now -= 1
            self.served += 1
        peer.send(ANSWER)


@dataclass
class Gated(Guarded):
    """One front, two workers, and the server behind the providers ``tight`` and ``tighter``."""

    upstream: Upstream = field(default_factory=Upstream)

    def record(self, job_id: str) -> JobRecord:
        record = self.store.get(job_id)
        assert record is not None
        return record

    def ended(self, job_id: str) -> bool:
        return self.record(job_id).is_ended

    def submit_crowd(self, secret: str, model: str) -> list[str]:
        items = [
            {"custom_id": str(n), "body": {"model": model, "input": "x"}} for n in range(CROWD)
        ]
        batch = requests.post(
            f"{self.fronts[0]}/v1/async/responses/batch",
            json={"requests": items},
            headers={"x-bf-vk": secret},
            timeout=60,
        )
        assert batch.status_code == 202, batch.text
        ids = self.store.client.zrange(self.store.keys.index("held", 0), 0, -1)
        return [job_id.decode() for job_id in ids]

    def holders(self, provider: str) -> int:
        return int(self.store.client.scard(self.store.keys.calls(provider, 0)))


def rows(url: str) -> str:
    row = {"base_url": f"{url}/v1"}
    return json.dumps(
        {
            "tight": {**row, "max_in_flight": 3},
            "tighter": {**row, "max_in_flight": 1},
            "slow": {"kind": "echo", "max_in_flight": 2},
        }
    )


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    folder: Path = tmp_path_factory.mktemp("gates")
    server = StoreServer(folder / "store")
    with Upstream(b"") as upstream:
        running = Muninn(
            folder,
            server.url,
            providers=rows(upstream.url),
            default_provider="echo",
            worker_concurrency=SLOTS,
            lease_seconds=3,
            max_queued_jobs=10_000,
        )
        try:
            running.start(workers=2)
            found = Gated(running, server, [running.root] * 2, upstream=upstream)
            yield found
            found.store.client.close()
        finally:
            running.stop()
            server.stop()


def test_a_burst_meets_a_providers_bound_by_waiting(gated: Gated) -> None:
    secret, counter = gated.key("burst"), Counter()
    gated.upstream.script = [counter]
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: gated.submit(secret, model="tight/m"), range(30)))
    free = [gated.submit(secret, model="echo/hello") for _ in range(SLOTS)]
    wait_until(lambda: all(map(gated.ended, free)), "another provider's jobs find free slots")
    assert counter.served < 30, "they did not wait for the burst"
    wait_until(lambda: all(map(gated.ended, ids)), "all of them end")
    assert {gated.record(job_id).status.value for job_id in ids} == {"completed"}
    assert (counter.most, counter.served) == (3, 30)
    assert gated.holders("tight") == 0


def test_an_inline_call_does_not_wait_for_jobs(gated: Gated) -> None:
    secret, counter = gated.key("inline"), Counter(seconds=20)
    gated.upstream.script = [counter, ANSWER]
    gated.upstream.seen.clear()
    job_id = gated.submit(secret, model="tighter/m")
    gated.upstream.wait_for_requests(1)
    body = {"model": "tighter/m", "input": "x"}
    assert call(gated.fronts[0], secret, "POST", "/v1/responses", json=body).status_code == 200
    counter.go.set()
    wait_until(lambda: gated.ended(job_id), "the job ends")


@pytest.mark.parametrize(
    ("model", "max_running"),
    [("echo/slow-500ms", None), ("slow/slow-500ms", 3)],
)
def test_one_keys_crowd_does_not_hold_up_anothers_one(
    gated: Gated, model: str, max_running: int | None
) -> None:
    name = f"{model.partition('/')[0]}-{max_running}"
    crowd, one = gated.key(f"crowd-{name}", max_running=max_running), gated.key(f"one-{name}")
    waiting = gated.submit_crowd(crowd, model)
    assert len(waiting) > CROWD / 2
    assert gated.store.client.llen(JOBS_QUEUE) <= SLOTS * 2
    job_id = gated.submit(one, model=model)
    wait_until(lambda: gated.ended(job_id), "the one is done", 10)
    still = sum(not gated.ended(waiting_id) for waiting_id in waiting)
    assert still > CROWD / 2
    for waiting_id in waiting:  # the rest would take its time
        gated.store.delete(waiting_id)


def test_the_places_of_a_killed_worker_come_back(gated: Gated) -> None:
    secret, counter = gated.key("killed"), Counter(seconds=20)
    gated.upstream.script = [counter, ANSWER]
    gated.upstream.seen.clear()
    ids = [gated.submit(secret, model="tighter/m") for _ in range(3)]
    gated.upstream.wait_for_requests(1)
    for worker in gated.muninn.workers:
        worker.kill()
    assert gated.holders("tighter") == 1
    counter.go.set()
    gated.muninn.start_worker()
    wait_until(lambda: all(map(gated.ended, ids)), "all of them end")
    assert {gated.record(job_id).status.value for job_id in ids} == {"completed"}
    assert gated.holders("tighter") == 0
    assert len(gated.upstream.seen) == 4
