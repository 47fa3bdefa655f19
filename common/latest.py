"""The latest answer to a question that many ask at once and that is put once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

FRESH_SECONDS = 1.0
# Without an answer for so long, a question is put again: it may have got lost for good.
LOST_SECONDS = 30.0


class Latest(Generic[Answer]):
    """Shares an answer that is not older than ``fresh_seconds``, and one that is on its way.

    A question that hangs is waited for, not repeated; it is put in a thread that may be left
    behind. That it failed holds for those alone who have waited: the next one asks anew.
    """

    def __init__(self, ask: Callable[[], Answer], fresh_seconds: float = FRESH_SECONDS) -> None:
        self._ask = ask
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._latest: Future[Answer] | None = None

    def answer(self) -> Future[Answer]:
        """The answer, there or on its way; what asking raised is in it."""
        with self._lock:
            latest = self._latest
            if latest is None or not self._is_good(latest):
                latest = self._latest = Future()
                self._asked_at = time.monotonic()
                threading.Thread(target=_put, args=(self._ask, latest), daemon=True).start()
            return latest

    def _is_good(self, answer: Future[Answer]) -> bool:
        age_seconds = time.monotonic() - self._asked_at
        if not answer.done():
            return age_seconds < LOST_SECONDS
        return age_seconds < self._fresh_seconds and answer.exception() is None


def _put(ask: Callable[[], Answer], future: Future[Answer]) -> None:
    try:
        future.set_result(ask())
    except BaseException as error:  # noqa: BLE001  # it is for those who wait
        future.set_exception(error)
