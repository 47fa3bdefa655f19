"""How much there is to do: the jobs that wait and run, and since when the oldest waits."""

from dataclasses import dataclass
from typing import Any

from common.store.job_store import JobStore
from common.store.scripts import store_errors

COUNTED = ("queued", "parked", "held", "running")
# Whose scores say since when a job waits.
TIMED = ("queued", "held")


@dataclass(frozen=True, slots=True)
class QueueState:
    """The jobs of all partitions, counted at the store's time ``now_ms``.

    ``parked`` wait to be tried again, or (``held`` of them) for their turn or a place.
    ``oldest_enqueued_at_ms`` is since when the first of those waits that could run now: queued or
    held; None when there is none.
    """

    queued: int
    parked: int
    running: int
    oldest_enqueued_at_ms: int | None
    now_ms: int
    held: int = 0

    @property
    def oldest_waited_seconds(self) -> float | None:
        """How long the first of them has waited."""
        if self.oldest_enqueued_at_ms is None:
            return None
        return max(0, self.now_ms - self.oldest_enqueued_at_ms) / 1000


def queue_state(store: JobStore) -> QueueState:
    """What waits and runs now; two round trips, whatever there is. Raises ServiceUnavailable."""
    with store_errors():
        # Not in the pipeline: a cluster's takes no command that is about no key.
        seconds, microseconds = store.client.time()
        sizes, oldest = _read(store)
    held = sizes["held"]
    return QueueState(
        queued=sizes["queued"],
        parked=sizes["parked"] + held,
        running=sizes["running"],
        oldest_enqueued_at_ms=min(oldest, default=None),
        now_ms=int(seconds) * 1000 + int(microseconds) // 1000,
        held=held,
    )


def _read(store: JobStore) -> tuple[dict[str, int], list[int]]:
    pipe = store.client.pipeline(transaction=False)
    partitions = range(store.keys.partitions)
    for name in COUNTED:
        for partition in partitions:
            pipe.zcard(store.keys.index(name, partition))
    for name in TIMED:
        for partition in partitions:
            pipe.zrange(store.keys.index(name, partition), 0, 0, withscores=True)
    answers: list[Any] = pipe.execute()
    width = len(partitions)
    sizes = {name: sum(answers[n * width : (n + 1) * width]) for n, name in enumerate(COUNTED)}
    return sizes, [int(first[0][1]) for first in answers[len(COUNTED) * width :] if first]
