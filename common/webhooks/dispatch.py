"""Puts deliveries in their queue: at once when a job has ended, and whenever one is due."""

import logging

from common.errors import ServiceUnavailable
from common.queue import JobQueue
from common.store.deliveries import Deliveries

log = logging.getLogger(__name__)


class Dispatcher:
    """Gives due deliveries their messages. Any number may do so at once: each gets one.

    Where no endpoint is configured (``is_used``) the end of a job is not looked at.
    """

    def __init__(self, deliveries: Deliveries, queue: JobQueue, *, is_used: bool = True) -> None:
        self._deliveries = deliveries
        self._queue = queue
        self._is_used = is_used

    def ended(self, job_id: str) -> None:
        """Deliver without waiting for the next tick, if there is something to deliver."""
        if not self._is_used:
            return
        try:
            self._enqueue(job_id)
        except ServiceUnavailable:
            log.warning("delivery left to the janitor: job_id=%s", job_id)

    def again(self, job_id: str) -> str:
        """Deliver once more; see ``Deliveries.again``. Raises ServiceUnavailable."""
        outcome = self._deliveries.again(job_id)
        self.ended(job_id)
        return outcome

    def tick(self, now_ms: int) -> None:
        """All that are due, and those whose message or worker was lost. Raises
        ServiceUnavailable."""
        due = self._deliveries.due(now_ms)
        lost_before_ms = self._lost_before_ms(now_ms) if due else 0
        for job_id in due:
            self._enqueue(job_id, lost_before_ms)

    def _lost_before_ms(self, now_ms: int) -> int:
        """A message is lost when younger ones are being served, or none is left."""
        oldest = self._queue.oldest_waiting()
        if oldest.is_empty:
            return now_ms
        return (oldest.job_id and self._deliveries.enqueued_at_ms(oldest.job_id)) or 0

    def _enqueue(self, job_id: str, lost_before_ms: int = 0) -> None:
        if self._deliveries.enqueue(job_id, lost_before_ms):
            self._queue.send(job_id)
