"""What the store says of queue and workers, asked at most once a second however many scrape."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass

from common.errors import MuninnError
from common.store import JobStore
from common.store.presence import Presence
from common.store.queue_state import QueueState, queue_state

GOOD_FOR_SECONDS = 1.0
# What a store that hangs may cost a scrape.
PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StoreState:
    """The queue, and how many workers there are on all machines."""

    queue: QueueState
    workers: int


class StoreWatch:
    """The latest state of the store, None while it cannot be had."""

    def __init__(self, look: Callable[[], StoreState]) -> None:
        self._look = look
        self._looked_at = float("-inf")
        self._latest: Future[StoreState] | None = None
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-watch")

    def state(self) -> StoreState | None:
        """What the store said a moment ago. Takes a second at most, and never raises."""
        with self._lock:
            latest = self._latest
            is_old = time.monotonic() - self._looked_at >= GOOD_FOR_SECONDS
            # A look that hangs is waited for, not repeated.
            if latest is None or (latest.done() and is_old):
                self._looked_at = time.monotonic()
                latest = self._latest = self._pool.submit(self._look)
        try:
            return latest.result(PATIENCE_SECONDS)
        except (MuninnError, TookTooLong):
            return None


def watch_store(store: JobStore, presence: Presence) -> StoreWatch:
    """A watch on this store; nothing is asked until it is."""

    def look() -> StoreState:
        queue = queue_state(store)
        return StoreState(queue, len(presence.workers(queue.now_ms)))

    return StoreWatch(look)
