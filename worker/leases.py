"""Keeps the leases of the jobs that this process runs, with one thread and one round trip a beat.

The same beat learns of jobs that are no longer ours (cancelled, deleted, taken over) and of run
deadlines, and ends their upstream calls. When Redis is away it changes nothing: calls go on.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common.errors import ServiceUnavailable
from common.jobs import Claim
from common.providers.base import UpstreamCall
from common.store import JobStore

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
RENEWALS_PER_LEASE = 3

# Why an upstream call was ended.
LOST = "lost"
DEADLINE = "deadline"
HANDED_BACK = "handed back"


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A claimed job, its upstream call, and when it must end (time.monotonic())."""

    claim: Claim
    call: UpstreamCall
    deadline: float


class LeaseKeeper:
    """The jobs in this process' hands."""

    def __init__(self, store: JobStore, beat_seconds: float = BEAT_SECONDS) -> None:
        self._store = store
        self._renew_seconds = store.limits.lease_ms / 1000 / RENEWALS_PER_LEASE
        self._beat_seconds = min(beat_seconds, self._renew_seconds)
        self._renewed_at = 0.0
        self._held: dict[str, HeldJob] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @contextmanager
    def holding(self, claim: Claim, call: UpstreamCall, deadline: float) -> Iterator[None]:
        """Keep the job's lease while inside."""
        with self._lock:
            self._held[claim.token] = HeldJob(claim, call, deadline)
        try:
            yield
        finally:
            with self._lock:
                del self._held[claim.token]

    def start(self) -> None:
        threading.Thread(target=self._run, name="leases", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def held_count(self) -> int:
        """How many jobs are held."""
        return len(self._held)

    def abort_all(self, reason: str) -> int:
        """End every upstream call; the number of them."""
        held = self._snapshot()
        for job in held:
            job.call.abort(reason)
        return len(held)

    def _snapshot(self) -> list[HeldJob]:
        with self._lock:
            return list(self._held.values())

    def _run(self) -> None:
        while not self._stopped.wait(self._beat_seconds):
            try:
                self.beat()
            except Exception:
                log.exception("heartbeat failed")

    def beat(self) -> None:
        """Renew what is due, and end the calls of jobs that are lost or late."""
        held = self._snapshot()
        if not held:
            return
        self._end_late(held)
        now = time.monotonic()
        renew = now - self._renewed_at >= self._renew_seconds
        pairs = [(job.claim.job_id, job.claim.token) for job in held]
        try:
            lost = self._store.heartbeat(pairs, renew=renew)
        except ServiceUnavailable:
            self._renewed_at = 0.0  # renew with the first beat that gets through
            return
        if renew:
            self._renewed_at = now
        self._end_lost(held, lost)

    def _end_lost(self, held: list[HeldJob], lost: set[str]) -> None:
        for job in held:
            if job.claim.token in lost:
                log.info("job is no longer ours: job_id=%s", job.claim.job_id)
                job.call.abort(LOST)

    def _end_late(self, held: list[HeldJob]) -> None:
        now = time.monotonic()
        for job in held:
            if now >= job.deadline:
                log.warning("run deadline exceeded: job_id=%s", job.claim.job_id)
                job.call.abort(DEADLINE)
