"""What a stopping worker does with the jobs in its hands."""

import logging
import threading
from typing import Any

from worker.leases import HANDED_BACK, LeaseKeeper
from worker.runner import JobRunner

log = logging.getLogger(__name__)

# What a hand-back may take when Redis is slow, before the process goes without it. The jobs are
# then rescued when their leases run out.
HAND_BACK_SECONDS = 10.0


class Drain:
    """On the first signal running jobs get a grace period, on a second one none.

    Jobs that are not done by then go back to the queue at once, for other workers to run.
    """

    def __init__(self, leases: LeaseKeeper, runner: JobRunner, grace_seconds: float) -> None:
        self._leases = leases
        self._runner = runner
        self._grace_seconds = grace_seconds
        self._hurry = threading.Event()
        self._started = False

    def on_signal(self, **_: Any) -> None:
        """Called by Celery for each signal; must not block."""
        if self._started:
            self._hurry.set()
            return
        self._started = True
        threading.Thread(target=self._run, name="drain", daemon=True).start()

    def _run(self) -> None:
        self._wait_for_grace()
        handed_back = self._leases.abort_all(HANDED_BACK)
        if handed_back:
            log.info("handing jobs back: count=%d", handed_back)
        if not self._leases.wait_until_idle(HAND_BACK_SECONDS):
            log.warning("stopping with jobs in hand; they will be rescued")
            self._runner.given_up.set()

    def _wait_for_grace(self) -> None:
        remaining_seconds = self._grace_seconds
        while remaining_seconds > 0 and not self._hurry.is_set():
            step_seconds = min(0.1, remaining_seconds)
            if self._leases.wait_until_idle(step_seconds):
                return
            remaining_seconds -= step_seconds
