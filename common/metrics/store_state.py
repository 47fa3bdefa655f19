"""What the store says of queue and workers, asked at most once a second however many scrape."""

from collections.abc import Callable
from dataclasses import dataclass

from common.errors import MuninnError
from common.latest import Latest
from common.store import JobStore
from common.store.presence import Presence
from common.store.queue_state import QueueState, queue_state

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
        self._latest = Latest(look)

    def state(self) -> StoreState | None:
        """What the store said a moment ago. Takes a second at most."""
        try:
            return self._latest.answer().result(PATIENCE_SECONDS)
        except (MuninnError, TimeoutError):
            return None


def watch_store(store: JobStore, presence: Presence) -> StoreWatch:
    """A watch on this store; nothing is asked until it is."""

    def look() -> StoreState:
        queue = queue_state(store)
        return StoreState(queue, len(presence.workers(queue.now_ms)))

    return StoreWatch(look)
