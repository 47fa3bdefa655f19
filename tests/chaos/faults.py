"""Carries out the planned faults, each in a thread of its own, and notes what was done."""

import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from tests.chaos import plan
from tests.chaos.cluster import Cluster, WorkerSlot
from tests.chaos.plan import PlannedFault

STOP_SECONDS = 30.0


@dataclass(slots=True)
class Fault:
    """A fault that was done. ``target`` is a process' name; times as time.monotonic()."""

    kind: str
    target: str
    started: float
    ended: float


class Saboteur:
    """Does the faults when their time has come. One target suffers one at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.done: list[Fault] = []
        self.stubborn: list[str] = []
        self.failures: list[BaseException] = []
        self._locks = {"front": threading.Lock(), "store": threading.Lock()}
        self._threads: list[threading.Thread] = []

    def run(self, faults: list[PlannedFault], began: float) -> None:
        """Start all of them at their times, and return when the last one has healed."""
        for fault in faults:
            time.sleep(max(0.0, began + fault.at_seconds - time.monotonic()))
            thread = threading.Thread(target=self._guarded, args=[fault])
            thread.start()
            self._threads.append(thread)
        for thread in self._threads:
            thread.join()

    def _guarded(self, fault: PlannedFault) -> None:
        try:
            self._do(fault)
        except BaseException as error:
            self.failures.append(error)

    def _do(self, fault: PlannedFault) -> None:
        if fault.kind in plan.WORKER_FAULTS:
            slot = self._cluster.slots[fault.worker]
            with slot.lock:
                self._to_worker(fault, slot)
        elif fault.kind == plan.KILL_FRONT:
            with self._locks["front"]:
                self._kill_front(fault)
        else:
            with self._locks["store"]:
                self._kill_store(fault)

    def _note(self, fault: PlannedFault, target: str) -> Fault:
        now = time.monotonic()
        noted = Fault(fault.kind, target, now, now)
        self.done.append(noted)
        return noted

    def _to_worker(self, fault: PlannedFault, slot: WorkerSlot) -> None:
        noted = self._note(fault, slot.current.name)
        if fault.kind in (plan.KILL_WORKER, plan.TERM_WORKER):
            self._end_worker(fault, slot)
            noted.ended = time.monotonic()
            time.sleep(fault.lasts_seconds)
            self._cluster.start_worker(slot)
            return
        begin, end = _ways(fault.kind, slot)
        begin()
        noted.started = time.monotonic()
        time.sleep(fault.lasts_seconds)
        end()
        noted.ended = time.monotonic()

    def _end_worker(self, fault: PlannedFault, slot: WorkerSlot) -> None:
        process = slot.current.process
        if fault.kind == plan.KILL_WORKER:
            process.kill()
            return
        process.signal(signal.SIGTERM)
        try:
            process.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.stubborn.append(process.name)
            process.kill()

    def _kill_front(self, fault: PlannedFault) -> None:
        noted = self._note(fault, "front")
        self._cluster.front.kill()
        time.sleep(fault.lasts_seconds)
        self._cluster.muninn.start_front()
        noted.ended = time.monotonic()

    def _kill_store(self, fault: PlannedFault) -> None:
        noted = self._note(fault, "store")
        self._cluster.store.process.kill()
        time.sleep(fault.lasts_seconds)
        self._cluster.store.restart()
        noted.ended = time.monotonic()


def _ways(kind: str, slot: WorkerSlot):  # type: ignore[no-untyped-def]
    """How a passing fault of a worker begins and how it ends."""
    if kind == plan.PAUSE_WORKER:
        process = slot.current.process
        return (
            lambda: process.signal(signal.SIGSTOP),
            lambda: process.signal(signal.SIGCONT),
        )
    begin = slot.proxy.cut if kind == plan.CUT_WORKER else slot.proxy.freeze
    return begin, slot.proxy.restore
