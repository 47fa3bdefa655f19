"""Whether what jobs need can be reached: asked at most once a second, and never for long."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from common.errors import MuninnError
from common.queue import JobQueue, StoreQueue
from common.store import JobStore

# Probes come from every balancer at once; they share an answer that is not older than this.
FRESH_SECONDS = 1.0
# What a check may take. A probe that waits longer is given up by who sent it.
LONGEST_SECONDS = 2.0

OK, DOWN = "ok", "down"

Check = Callable[[], object]
Result = dict[str, str]


class Readiness:
    """Named checks, and what they said last."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        fresh_seconds: float = FRESH_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._checks = dict(checks)
        self._fresh_seconds = fresh_seconds
        self._longest_seconds = longest_seconds
        self._lock = threading.Lock()
        self._results: dict[str, Result] = {}
        self._holds_until = float("-inf")

    def results(self) -> dict[str, Result]:
        """What each check says: ``{"status": "ok"}``, or ``down`` with an ``error``.

        One caller asks, the others wait for its answer. That something is down holds for those
        alone who have waited: it may be back at any moment.
        """
        came_at = time.monotonic()
        with self._lock:
            if came_at > self._holds_until:
                self._results = self._ask_all()
                are_up = all(each["status"] == OK for each in self._results.values())
                holds_seconds = self._fresh_seconds if are_up else 0.0
                self._holds_until = time.monotonic() + holds_seconds
            return self._results

    def _ask_all(self) -> dict[str, Result]:
        """All at once, each in a thread that is left behind when it takes too long."""
        late = {"status": DOWN, "error": f"No answer within {self._longest_seconds:g} seconds."}
        said: dict[str, Result] = {}
        threads = [
            threading.Thread(target=_ask, args=(name, check, said), daemon=True)
            for name, check in self._checks.items()
        ]
        until = time.monotonic() + self._longest_seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return {name: said.get(name, late) for name in self._checks}


def _ask(name: str, check: Check, said: dict[str, Any]) -> None:
    try:
        check()
        said[name] = {"status": OK}
    except MuninnError as error:
        said[name] = {"status": DOWN, "error": error.message}
    except Exception:  # noqa: BLE001  # whatever it is, this is not ready
        said[name] = {"status": DOWN, "error": "The check failed."}


def readiness_of(store: JobStore, queue: JobQueue) -> Readiness:
    """The checks of a front: the job store, and the broker where that is another one."""
    checks: dict[str, Check] = {"store": store.ping}
    if not isinstance(queue, StoreQueue):
        checks["broker"] = queue.oldest_waiting
    return Readiness(checks)
