"""What a stopping worker does with the jobs in its hands."""

import logging
import threading
import time
from typing import Any

from worker.leases import HANDED_BACK, LeaseKeeper
from worker.persistence import Persistence
from worker.runner import LISTENING_SECONDS, JobRunner

log = logging.getLogger(__name__)

# What a hand-back may take when Redis is slow, before the process goes without it. The jobs are
# then rescued when their leases run out.
HAND_BACK_SECONDS = 10.0
AGAIN_SECONDS = 0.2


class Drain:
    """On the first signal running jobs get a grace period, on a second one none.

    Jobs that are not done by then go back to the queue at once, for other workers to run.
    """

    def __init__(
        self,
        runner: JobRunner,
        leases: LeaseKeeper,
        persistence: Persistence,
        grace_seconds: float,
    ) -> None:
        self._runner = runner
        self._leases = leases
        self._persistence = persistence
        self._grace_seconds = grace_seconds
        self._hurry = threading.Event()
        self._started = False

    def on_signal(self, **_: Any) -> None:
        """Called by Celery for each signal; must not block."""
        if self._started:
            self._hurry.set()
            return
        self._started = True
        self._runner.stop_taking()
        threading.Thread(target=self._run, name="drain", daemon=True).start()

    def _run(self) -> None:
        time.sleep(LISTENING_SECONDS)  # or a job that is handed back might come right back
        self._hurry.wait(max(0.0, self._grace_seconds - LISTENING_SECONDS))
        give_up_at = time.monotonic() + HAND_BACK_SECONDS
        # To the end of the process: a message that was on its way may still bring a job.
        while not self._persistence.is_given_up:
            handed_back = self._leases.abort_all(HANDED_BACK)
            if handed_back:
                log.info("handing jobs back: count=%d", handed_back)
            if time.monotonic() > give_up_at:
                log.warning("stopping without the store; jobs in hand will be rescued")
                self._persistence.give_up()
            time.sleep(AGAIN_SECONDS)
