"""The messages that a worker was given and has not begun with.

Redis forgets a message when it gives it to a worker: to keep it until it is acknowledged takes two
more trips for each job, and the janitor finds a job whose message was lost anyway. But it waits for
a while before it believes in a loss, so a worker that stops says itself what it leaves behind:
Celery drops what comes in its last moment.
"""

import threading
from typing import Any

from celery import signals

from common.queue import RUN_RESPONSE


class InHand:
    """Ids of jobs whose message has come and whose task has not begun. Any thread may call."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def listen(self) -> None:
        """Hear of each message that Celery receives."""
        signals.task_received.connect(self._received, weak=False)

    def begun(self, job_id: str) -> None:
        """The task of this job runs."""
        with self._lock:
            self._ids.discard(job_id)

    def left(self) -> list[str]:
        """Those that no task will begin with any more, when Celery has stopped."""
        with self._lock:
            return sorted(self._ids)

    def _received(self, request: Any, **_: Any) -> None:
        if request.name == RUN_RESPONSE:
            with self._lock:
                self._ids.add(request.id)
