"""Looks after jobs that nobody holds. Every worker runs one; together they do the work once.

What it may do to a job that is really running: take it from a worker that has not renewed its
lease. That worker's success still counts if it comes first.
"""

import logging
import threading
import time

from common.errors import ServiceUnavailable
from common.metrics import Metrics
from common.metrics.job_counts import JobMetrics
from common.queue import JobQueue
from common.settings import Settings
from common.store.maintenance import JobMaintenance
from common.webhooks.dispatch import Dispatcher

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# After an outage every live worker needs a beat to renew; reaping earlier would run live calls
# twice after each restart of Redis.
QUIET_LEASES = 1.5


class Janitor:
    """Rescues, promotes, requeues and expires jobs, and sends webhooks, once a tick."""

    def __init__(
        self,
        maintenance: JobMaintenance,
        queue: JobQueue,
        webhooks: Dispatcher,
        settings: Settings,
        tick_seconds: float = TICK_SECONDS,
        metrics: JobMetrics | None = None,
    ) -> None:
        self._maintenance = maintenance
        self._queue = queue
        self._webhooks = webhooks
        self._settings = settings
        self._tick_seconds = tick_seconds
        self._metrics = metrics or Metrics().jobs
        self._contact_since: float | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="janitor", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._tick_seconds):
            try:
                self.tick()
            except ServiceUnavailable:
                self._contact_since = None
            except Exception:
                log.exception("janitor failed")

    def tick(self) -> None:
        """One round. Raises ServiceUnavailable when Redis is away."""
        now_ms = self._maintenance.now_ms()
        self._send(self._maintenance.promote_parked(now_ms))
        self._expire_queued(now_ms)
        self._maintenance.tend_gates(now_ms)
        self._webhooks.tick(now_ms)
        if self._is_settled():
            self._rescue(now_ms)
            self._requeue_lost(now_ms)

    def _is_settled(self) -> bool:
        """Whether Redis has answered without a break for long enough to trust the leases."""
        now = time.monotonic()
        if self._contact_since is None:
            self._contact_since = now
        return now - self._contact_since >= QUIET_LEASES * self._settings.lease_seconds

    def _rescue(self, now_ms: int) -> None:
        outcomes = self._maintenance.rescue(now_ms, self._settings.max_attempts)
        for job_id, outcome in outcomes.items():
            log.warning("worker lost: job_id=%s outcome=%s", job_id, outcome)
            self._metrics.rescued(outcome)
        self._send([job_id for job_id, outcome in outcomes.items() if outcome == "requeued"])

    def _requeue_lost(self, now_ms: int) -> None:
        """A job that waits although younger messages are already served has lost its own."""
        before_ms = now_ms - int(self._settings.lease_seconds * 1000)
        if not self._maintenance.is_any_queued(before_ms):
            return  # most often; and a broker that is not the store need not be asked
        oldest = self._queue.oldest_waiting()
        if not oldest.is_empty:
            enqueued_at_ms = oldest.job_id and self._maintenance.enqueued_at_ms(oldest.job_id)
            if not enqueued_at_ms:
                return  # it is being taken, or of a job that ended; the next tick sees another
            before_ms = min(before_ms, enqueued_at_ms - 1)
        requeued = self._maintenance.requeue_lost(before_ms)
        if requeued:
            log.warning("messages lost, jobs queued again: count=%d", len(requeued))
            self._metrics.messages_lost(len(requeued))
        self._send(requeued)

    def _expire_queued(self, now_ms: int) -> None:
        before_ms = now_ms - int(self._settings.queue_deadline_seconds * 1000)
        expired = self._maintenance.expire_queued(before_ms)
        if expired:
            log.warning("jobs waited for too long: count=%d", len(expired))
            self._metrics.expired(len(expired))

    def _send(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            self._queue.send(job_id)
