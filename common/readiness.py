"""Whether what jobs need can be reached: asked at most once a second, and never for long."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from common.errors import MuninnError
from common.latest import FRESH_SECONDS, Latest
from common.queue import JobQueue, StoreQueue
from common.store import JobStore

# What a check may take. A probe that waits longer is given up by who sent it.
LONGEST_SECONDS = 2.0

OK, DOWN = "ok", "down"

Check = Callable[[], object]
Result = dict[str, str]


class Readiness:
    """Named checks, and what they said last. Probes come from every balancer at once."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        fresh_seconds: float = FRESH_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._checks = {name: Latest(check, fresh_seconds) for name, check in checks.items()}
        self._longest_seconds = longest_seconds

    def results(self) -> dict[str, Result]:
        """What each check says: ``{"status": "ok"}``, or ``down`` with an ``error``."""
        asked = {name: check.answer() for name, check in self._checks.items()}
        until = time.monotonic() + self._longest_seconds
        return {name: self._result(answer, until) for name, answer in asked.items()}

    def _result(self, answer: Future[object], until: float) -> Result:
        try:
            answer.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            return _down(f"No answer within {self._longest_seconds:g} seconds.")
        except MuninnError as error:
            return _down(error.message)
        except Exception:  # noqa: BLE001  # whatever it is, this is not ready
            return _down("The check failed.")
        return {"status": OK}


def _down(error: str) -> Result:
    return {"status": DOWN, "error": error}


def readiness_of(store: JobStore, queue: JobQueue) -> Readiness:
    """The checks of a front: the job store, and the broker where that is another one."""
    checks: dict[str, Check] = {"store": store.ping}
    if not isinstance(queue, StoreQueue):
        checks["broker"] = queue.oldest_waiting
    return Readiness(checks)
