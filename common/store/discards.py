"""Takes back what a failed submit may have left, as soon as the store can be reached again."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from common.errors import ServiceUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.3
LONGEST_LIST = 10_000


class Discards:
    """The submits that were answered 503 and whose jobs may be stored nevertheless.

    ``discard`` takes a job id and a submission and raises ServiceUnavailable. The thread that
    tries again lives only while there is something to do.
    """

    def __init__(self, discard: Callable[[str, str], object]) -> None:
        self._discard = discard
        self._waiting: deque[tuple[str, str]] = deque(maxlen=LONGEST_LIST)
        self._lock = threading.Lock()
        self._is_running = False

    def add(self, job_id: str, submission: str) -> None:
        """Discard it now if that is possible, and later if not; never raises."""
        try:
            self._discard(job_id, submission)
        except ServiceUnavailable:
            self.later(job_id, submission)

    def later(self, job_id: str, submission: str) -> None:
        """Discard it soon; never waits."""
        with self._lock:
            self._waiting.append((job_id, submission))
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="discards", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while (oldest := self._next()) is not None:
            try:
                self._discard(*oldest)
            except ServiceUnavailable:
                pause.wait(RETRY_SECONDS)
                continue
            except Exception:
                log.exception("a refused job could not be taken back: job_id=%s", oldest[0])
                self._to_the_end(oldest)
                pause.wait(RETRY_SECONDS)
                continue
            log.info("refused job taken back: job_id=%s", oldest[0])
            self._done(oldest)

    def _next(self) -> tuple[str, str] | None:
        with self._lock:
            self._is_running = bool(self._waiting)
            return self._waiting[0] if self._waiting else None

    def _to_the_end(self, failed: tuple[str, str]) -> None:
        """The others are not held up by it."""
        with self._lock:
            if self._waiting and self._waiting[0] == failed:
                self._waiting.rotate(-1)

    def _done(self, taken_back: tuple[str, str]) -> None:
        with self._lock:
            # A full list may have dropped it in the meantime.
            if self._waiting and self._waiting[0] == taken_back:
                self._waiting.popleft()
