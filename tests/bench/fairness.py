"""``python -m tests.bench.fairness``: whether 50 keys with different limits get their shares.

A real store, a front and two workers; a provider that may have so many calls of jobs at once
(``max_in_flight``) and takes a fifth of a second for each. Fifty keys want more than there is:

* **crowds**, without limits, submit hundreds of jobs at once;
* **narrow** keys, each with its own bound on running jobs, submit all they have at once;
* **rated** keys, each with its own requests per minute, ask for half as much again, inline and
  by jobs;
* **both** have both;
* **quiet** keys submit one job every second or so, and measure how long it waits.

What each key got is counted at the provider. The verdict: no more calls at once than the provider's
bound or a key's, no more in any minute than a key's limit, every request over it refused, crowds
served evenly, and nobody starved.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import requests

from common.settings import Settings
from common.store import open_store
from common.store.virtual_keys import KeyStore
from tests.bench.counting_provider import Call, CountingProvider, most_at_once, most_within
from tests.support.keys import store_key
from tests.support.processes import Muninn, StoreServer
from tests.support.waiting import wait_until

PROVIDER_BOUND = 20
CALL_SECONDS = 0.2
WORKER_SLOTS = 20
CROWD_JOBS = 500
QUIET_EVERY_SECONDS = 1.5
# A quiet key's job in all: far less than the crowds, which wait for most of the run.
LONGEST_WAIT_SECONDS = 5.0
MOST_UNEVEN = 1.25


@dataclass
class Key:
    """One key, what it may, and what became of its requests."""

    name: str
    kind: str
    rpm: int | None = None
    max_running: int | None = None
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def body(self, kind: str) -> dict[str, object]:
        return {"model": "mock/m", "input": "x", "metadata": {"key": self.name, "kind": kind}}

    @property
    def refused(self) -> int:
        return self.statuses.count(429)


def fifty_keys() -> list[Key]:
    keys = [Key(f"crowd-{n}", "crowd") for n in range(5)]
    keys += [Key(f"narrow-{n}", "narrow", max_running=1 + n % 5) for n in range(15)]
    keys += [Key(f"rated-{n}", "rated", rpm=5 + 5 * n) for n in range(12)]
    keys += [Key(f"both-{n}", "both", rpm=10 + 5 * n, max_running=1 + n % 3) for n in range(8)]
    return keys + [Key(f"quiet-{n}", "quiet") for n in range(10)]


class Load:
    """Sends what the keys want for so many seconds."""

    def __init__(self, root: str, seconds: float) -> None:
        self._root = root
        self._seconds = seconds
        self._ends_at = time.monotonic() + seconds
        self._local = threading.local()

    def run(self, keys: list[Key]) -> None:
        acts: dict[str, Callable[[Key], None]] = {
            "crowd": lambda key: self._batch(key, CROWD_JOBS),
            "narrow": lambda key: self._batch(key, 200),
            "rated": self._ask,
            "both": self._ask,
            "quiet": self._now_and_then,
        }
        with ThreadPoolExecutor(len(keys)) as pool:
            for each in [pool.submit(acts[key.kind], key) for key in keys]:
                each.result()
            time.sleep(max(0.0, self._ends_at - time.monotonic()))

    def _post(self, key: Key, path: str, body: object, **headers: str) -> requests.Response:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        sent = {"x-bf-vk": key.secret, **headers}
        answer: requests.Response = self._local.session.post(
            self._root + path, json=body, headers=sent, timeout=60
        )
        key.statuses.append(answer.status_code)
        return answer

    def _batch(self, key: Key, count: int) -> None:
        items = [{"custom_id": str(n), "body": key.body("job")} for n in range(count)]
        self._post(key, "/v1/async/responses/batch", {"requests": items})

    def _ask(self, key: Key) -> None:
        """Half as much again as it may, in the first half of the time; every other one a job."""
        count = int((key.rpm or 0) * 1.5)
        for number in range(count):
            kind = "job" if number % 2 else "inline"
            headers = {"x-bf-async": "true"} if kind == "job" else {}
            self._post(key, "/v1/responses", key.body(kind), **headers)
            time.sleep(self._seconds / 2 / count)

    def _now_and_then(self, key: Key) -> None:
        while time.monotonic() < self._ends_at - LONGEST_WAIT_SECONDS:
            began = time.monotonic()
            headers = {"x-bf-async": "true", "prefer": "wait=60"}
            answer = self._post(key, "/v1/responses", key.body("job"), **headers)
            assert answer.json()["status"] == "completed", answer.text
            key.waits.append(time.monotonic() - began)
            time.sleep(QUIET_EVERY_SECONDS)


def faults_of(keys: list[Key], calls: list[Call]) -> list[str]:
    """What is not as it should be."""
    faults = []
    at_once = most_at_once([call for call in calls if call.is_job])
    if at_once > PROVIDER_BOUND:
        faults.append(f"the provider had {at_once} calls of jobs at once")
    for key in keys:
        running = most_at_once([call for call in key.calls if call.is_job])
        if running > (key.max_running or PROVIDER_BOUND):
            faults.append(f"{key.name} had {running} jobs running at once")
        if key.rpm is not None:
            granted = len(key.statuses) - key.refused
            if max(granted, most_within(key.calls, 60)) > key.rpm:
                faults.append(f"{key.name} got {granted} requests, {len(key.calls)} calls")
            if granted < key.rpm:
                faults.append(f"{key.name} got only {granted} requests")
        if not key.calls:
            faults.append(f"{key.name} starved")
    waits = [wait for key in keys for wait in key.waits]
    if max(waits) > LONGEST_WAIT_SECONDS:
        faults.append(f"a job of a quiet key took {max(waits):.1f} s")
    crowds = [len(key.calls) for key in keys if key.kind == "crowd"]
    if max(crowds) > MOST_UNEVEN * min(crowds):
        faults.append(f"crowds were served unevenly: {min(crowds)} to {max(crowds)} calls")
    return faults


def table(keys: list[Key]) -> str:
    lines = [
        f"{'key':<10}{'rpm':>5}{'max running':>13}{'requests':>10}{'429':>6}"
        f"{'calls':>7}{'most in 60 s':>14}{'most at once':>14}{'longest wait':>14}"
    ]
    for key in keys:
        jobs = [call for call in key.calls if call.is_job]
        wait = f"{max(key.waits):.1f} s" if key.waits else "-"
        lines.append(
            f"{key.name:<10}{key.rpm or '-':>5}{key.max_running or '-':>13}"
            f"{len(key.statuses):>10}{key.refused:>6}{len(key.calls):>7}"
            f"{most_within(key.calls, 60):>14}{most_at_once(jobs):>14}{wait:>14}"
        )
    return "\n".join(lines)


def measured(folder: Path, seconds: float) -> tuple[list[Key], list[Call]]:
    """The keys and the provider's calls of one run."""
    keys = fifty_keys()
    server = StoreServer(folder / "store", "--appendfsync", "everysec")
    with CountingProvider(CALL_SECONDS) as provider:
        url = f"http://127.0.0.1:{provider.port}/v1"
        rows = {"mock": {"base_url": url, "max_in_flight": PROVIDER_BOUND}}
        settings = {"providers": json.dumps(rows), "worker_concurrency": WORKER_SLOTS}
        running = Muninn(folder, server.url, log_level="info", **settings)
        try:
            store_keys(server, keys)
            running.start(workers=2)
            wait_until(lambda: _is_known(running.root, keys[-1]), "the keys are known")
            Load(running.root, seconds).run(keys)
            calls = list(provider.calls)
        finally:
            running.stop()
            server.stop()
    for key in keys:
        key.calls = [call for call in calls if call.key == key.name]
    return keys, calls


def store_keys(server: StoreServer, keys: list[Key]) -> None:
    store = open_store(Settings(redis_url=server.url))
    kept = KeyStore(store.client, store.scripts)
    for key in keys:
        limits = {"rpm": key.rpm, "max_running": key.max_running}
        key.secret, _ = store_key(kept, key.name, **limits)
    store.client.close()


def _is_known(root: str, key: Key) -> bool:
    headers = {"x-bf-vk": key.secret}
    return requests.get(f"{root}/v1/async/responses", headers=headers, timeout=10).ok


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=25.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        keys, calls = measured(Path(folder), seconds)
    jobs = [call for call in calls if call.is_job]
    print(table(keys))
    print(
        f"\n{len(calls):,} calls in {seconds:.0f} s, {len(jobs):,} of them of jobs: at most "
        f"{most_at_once(jobs)} at once, where {PROVIDER_BOUND} are allowed"
    )
    faults = faults_of(keys, calls)
    print("\n".join(faults) or "no key got more than its share, and none starved")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
