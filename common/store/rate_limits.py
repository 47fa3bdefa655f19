"""Requests of a key in any minute, counted in Redis for all fronts together."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

from common.store.scripts import STORE_ERRORS

if TYPE_CHECKING:
    from limits.strategies import MovingWindowRateLimiter

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60
# After a failure nobody asks for so long: no call shall wait for a store that is away.
REST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit. ``reset_seconds`` is when the oldest request leaves the window."""

    is_granted: bool
    limit: int
    remaining: int
    reset_seconds: float


class RequestLimits:
    """A moving window: in no span of 60 s more than the limit, wherever it starts.

    Its times are the fronts' own, so their clocks have to agree as well as the limit shall hold.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._limiter: MovingWindowRateLimiter | None = None
        self._lock = threading.Lock()
        self._resting_until = 0.0
        self._is_away = False

    def spend(self, key_id: str, rpm: int, cost: int = 1) -> Allowance | None:
        """Count so many requests of a key, all of them or none.

        None when the store is away: calls do not depend on it, so they go on without a limit.
        """
        if time.monotonic() < self._resting_until:
            return None
        try:
            allowance = self._spend(key_id, rpm, cost)
        except STORE_ERRORS as error:
            self._rest(error)
            return None
        self._is_away = False
        return allowance

    def _spend(self, key_id: str, rpm: int, cost: int) -> Allowance:
        from limits import RateLimitItemPerMinute

        limiter, item = self._limiter_of_store(), RateLimitItemPerMinute(rpm)
        is_granted = limiter.hit(item, key_id, cost=cost)
        stats = limiter.get_window_stats(item, key_id)
        reset_seconds = min(max(stats.reset_time - time.time(), 0.0), WINDOW_SECONDS)
        return Allowance(is_granted, rpm, max(stats.remaining, 0), reset_seconds)

    def _limiter_of_store(self) -> "MovingWindowRateLimiter":
        with self._lock:
            if self._limiter is None:
                from limits.strategies import MovingWindowRateLimiter

                from common.store.limit_storage import StoreStorage

                self._limiter = MovingWindowRateLimiter(StoreStorage(self._client))
            return self._limiter

    def _rest(self, error: Exception) -> None:
        self._resting_until = time.monotonic() + REST_SECONDS
        if not self._is_away:
            log.warning("requests are not limited: error=%s", type(error).__name__)
        self._is_away = True
