"""What is counted of jobs and their webhooks: each step where the store says that it was ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Literal, get_args

from common.jobs import TERMINAL, Claim, JobStatus
from common.metrics import definitions as d
from common.metrics.cells import Cells, HistogramRows, Rows

DeliveryOutcome = Literal["delivered", "failed", "given_up"]
DELIVERY_OUTCOMES = get_args(DeliveryOutcome)
RESCUE_OUTCOMES = ("requeued", "failed")


class JobMetrics:
    """Jobs, from their submit to the end of their webhook."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._here = threading.local()
        self._submitted = cells.row(d.JOBS_SUBMITTED)
        self._ended = Rows(cells, d.JOBS_ENDED)
        self._wait_seconds = cells.histogram(d.JOB_WAIT_SECONDS)
        self._run_seconds = HistogramRows(cells, d.JOB_RUN_SECONDS)
        self._attempts = cells.row(d.JOB_ATTEMPTS)
        self._retries = cells.row(d.JOB_RETRIES)
        self._handed_back = cells.row(d.JOBS_HANDED_BACK)
        self._rescues = Rows(cells, d.JOB_RESCUES)
        self._messages_lost = cells.row(d.MESSAGES_LOST)
        self._in_hand = cells.row(d.JOBS_IN_HAND)
        self._webhooks = Rows(cells, d.WEBHOOKS)
        # There from the start: what Prometheus sees begin at 1 has not risen for it.
        for status in TERMINAL:
            self._ended[status.value,].add(0)
        for outcome in RESCUE_OUTCOMES:
            self._rescues[outcome,].add(0)
        for outcome in DELIVERY_OUTCOMES:
            self._webhooks[outcome,].add(0)

    def submitted(self) -> None:
        """A job was stored and queued."""
        self._submitted.add()

    def working(self, slots: int) -> None:
        """This process can run so many jobs at once."""
        self._cells.row(d.WORKER_SLOTS).set(slots)

    @contextmanager
    def attempt(self, claim: Claim) -> Iterator[None]:
        """An attempt, from its claim to its end, in this thread."""
        self._attempts.add()
        if claim.attempt == 1:
            waited_ms = claim.started_at_ms - claim.created_at_ms
            self._wait_seconds.observe(max(0, waited_ms) / 1000)
        ran_before_seconds = (claim.claimed_at_ms - claim.started_at_ms) / 1000
        self._here.began_at = perf_counter() - ran_before_seconds
        self._in_hand.add()
        try:
            yield
        finally:
            self._in_hand.add(-1.0)

    def ended(self, status: JobStatus) -> None:
        """The attempt in this thread, and no other, has ended its job."""
        self._ended[status.value,].add()
        self._run_seconds[status.value,].observe(perf_counter() - self._here.began_at)

    def cancelled(self) -> None:
        """A job was cancelled."""
        self._ended[JobStatus.CANCELLED.value,].add()

    def expired(self, jobs: int) -> None:
        """Jobs have failed for they waited too long."""
        self._ended[JobStatus.FAILED.value,].add(jobs)

    def retried(self) -> None:
        """A job waits for its next attempt."""
        self._retries.add()

    def handed_back(self) -> None:
        """A job was given to other workers."""
        self._handed_back.add()

    def rescued(self, outcome: str) -> None:
        """The worker of a job was lost: it was ``requeued``, or has ``failed``."""
        self._rescues[outcome,].add()
        if outcome == "failed":
            self._ended[JobStatus.FAILED.value,].add()

    def messages_lost(self, jobs: int) -> None:
        """Jobs were queued anew."""
        self._messages_lost.add(jobs)

    def told(self, outcome: DeliveryOutcome) -> None:
        """An attempt to deliver a webhook has ended."""
        self._webhooks[outcome,].add()
