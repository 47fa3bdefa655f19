"""Writes the events of this process' streamed jobs, many jobs in one round trip.

A job's thread only leaves its events here, so that a slow store never slows the reading of the
provider, and events that come close together travel together.
"""

import logging
import threading
from collections.abc import Sequence

from common.jobs import Claim
from common.store.job_events import Append, JobEvents
from worker.persistence import Persistence

log = logging.getLogger(__name__)

# What has piled up while the store was away goes in parts that it can take within its time limit.
MOST_TOGETHER = 1000


class EventWriter:
    """One thread that appends what all jobs have left."""

    def __init__(self, events: JobEvents, persistence: Persistence) -> None:
        self._events = events
        self._persistence = persistence
        self._waiting: list[Append] = []
        self._refused: set[str] = set()
        self._changed = threading.Condition()
        self._left = 0
        self._written = 0
        self._stopped = threading.Event()

    @property
    def cap(self) -> int:
        """How many events a job keeps at least."""
        return self._events.cap

    def start(self) -> None:
        threading.Thread(target=self._run, name="event-writer", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def leave(self, append: Append) -> bool:
        """Leave events to be appended; False when an earlier append of the attempt was refused."""
        with self._changed:
            if append.claim.token in self._refused:
                return False
            self._waiting.append(append)
            self._left += 1
            self._changed.notify_all()
        return True

    def flush(self) -> None:
        """Wait until all that was left so far is written, or the process has to go."""
        with self._changed:
            goal = self._left
            self._changed.wait_for(lambda: self._written >= goal or self._stopped.is_set())

    def forget(self, claim: Claim) -> None:
        """The attempt is over: its refusal need not be remembered."""
        with self._changed:
            self._refused.discard(claim.token)

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped.is_set())
                batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            if batch:
                self._write(batch)

    def _write(self, batch: list[Append]) -> None:
        merged = _merged(batch)
        try:
            done = self._persistence.until_done(lambda: self._events.append(merged))
        except Exception:
            log.exception("events could not be written: jobs=%d", len(merged))
            done = [True] * len(merged)
        with self._changed:
            for append, accepted in zip(merged, done, strict=True):
                if not accepted:
                    self._refused.add(append.claim.token)
            self._written += len(batch)
            self._changed.notify_all()


def _merged(batch: Sequence[Append]) -> list[Append]:
    """One append for each attempt, its events in order."""
    by_attempt: dict[str, list[Append]] = {}
    for append in batch:
        by_attempt.setdefault(append.claim.token, []).append(append)
    return [
        Append(
            claim=appends[0].claim,
            events=[stored for append in appends for stored in append.events],
            partial=next((a.partial for a in reversed(appends) if a.partial), b""),
            response_id=next((a.response_id for a in appends if a.response_id), ""),
        )
        for appends in by_attempt.values()
    ]
