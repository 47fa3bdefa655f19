"""Everything that runs under chaos: a store, a provider, a front, and workers behind proxies."""

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.chaos.keys import MAX_IN_FLIGHT, key_rows
from tests.chaos.plan import Plan
from tests.chaos.provider import WORKER_HEADER
from tests.chaos.proxy import HOST, StoreProxy
from tests.support.processes import Muninn, Process, StoreServer, free_port
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One worker process, by the name the provider knows it by. Times as time.monotonic()."""

    name: str
    process: Process
    ready_at: float


@dataclass
class WorkerSlot:
    """A place where a worker runs, is killed, and runs again."""

    number: int
    proxy: StoreProxy
    lock: threading.Lock = field(default_factory=threading.Lock)
    lives: list[Incarnation] = field(default_factory=list)

    @property
    def current(self) -> Incarnation:
        return self.lives[-1]


class Cluster:
    """Started whole; the faults then take it apart and put it together again."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = StoreServer(folder / "store")
        self.provider_port = free_port()
        arguments = [sys.executable, "-m", "tests.chaos.provider", str(self.provider_port)]
        self.provider = Process("provider", arguments, folder / "provider.log")
        self.muninn = Muninn(
            folder,
            self.store.url,
            lease_seconds=plan.lease_seconds,
            shutdown_grace_seconds=plan.grace_seconds,
            worker_concurrency=100,
            front_threads=64,
            providers=self._rows("front"),
            default_provider="chaos",
            keys=key_rows(),
        )
        self.slots = [WorkerSlot(n, StoreProxy(self.store.port)) for n in range(plan.workers)]

    def start(self) -> "Cluster":
        wait_until(lambda: self.calls() is not None, "the provider answers")
        starters = [threading.Thread(target=self.start_worker, args=[slot]) for slot in self.slots]
        for starter in starters:
            starter.start()
        self.muninn.start_front()
        for starter in starters:
            starter.join()
        assert all(slot.lives for slot in self.slots), "not every worker started"
        return self

    @property
    def front(self) -> Process:
        return self.muninn.fronts[-1]

    @property
    def root(self) -> str:
        return self.muninn.root

    def start_worker(self, slot: WorkerSlot) -> None:
        """A new process in the slot, ready to take jobs."""
        name = f"worker-{slot.number}.{len(slot.lives) + 1}"
        env = {
            **self.muninn.env,
            "MUNINN_REDIS_URL": f"redis://{HOST}:{slot.proxy.port}/0",
            "MUNINN_PROVIDERS": self._rows(name),
        }
        argv = [sys.executable, "-m", "worker"]
        worker = Process(name, argv, self.folder / f"{name}.log", env)
        wait_until(
            lambda: " ready." in worker.log_text() or not worker.is_running(),
            f"{name} is ready",
            60,
        )
        slot.lives.append(Incarnation(name, worker, time.monotonic()))

    def calls(self) -> list[dict[str, object]] | None:
        """What the provider saw; None when it does not answer yet."""
        try:
            url = f"http://{HOST}:{self.provider_port}/calls"
            calls: list[dict[str, object]] = requests.get(url, timeout=30).json()
        except requests.RequestException:
            return None
        return calls

    def stop(self) -> list[str]:
        """Stop everything; the names of what did not stop when told to."""
        stubborn = []
        workers = [slot.current.process for slot in self.slots if slot.lives]
        for process in [*workers, *self.muninn.fronts]:
            try:
                process.stop()
            except AssertionError:
                stubborn.append(process.name)
        for slot in self.slots:
            slot.proxy.stop()
        self.provider.kill()
        self.store.stop()
        return stubborn

    def _rows(self, name: str) -> str:
        """The provider as it is configured for one process, which it is told the name of."""
        base_url = f"http://{HOST}:{self.provider_port}/v1"
        row = {"base_url": base_url, "headers": {WORKER_HEADER: name}}
        return json.dumps({"chaos": {**row, "max_in_flight": MAX_IN_FLIGHT}})
