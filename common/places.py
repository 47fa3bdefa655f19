"""How many requests may hold a thread of the front only to wait.

Waiting costs who waits nothing, so without a bound a single client could wait in all threads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Places:
    """Places of a process for those who wait; for any thread."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> bool:
        """Take a place, to be given back; False, at once, when there is none."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        self._free.release()

    @contextmanager
    def granted(self, seconds: int) -> Iterator[int]:
        """A place for as long as the block runs, and so many seconds; none, when there is none."""
        if seconds == 0 or not self.take():
            yield 0
            return
        try:
            yield seconds
        finally:
            self.give_back()


def places_among(threads: int) -> Places:
    """Three in four of them, and at least one."""
    return Places(max(1, threads * 3 // 4))
