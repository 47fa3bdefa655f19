"""Whether the store's server has room for more jobs."""

import time
from typing import Any

import redis
from redis.cluster import RedisCluster
from redis.exceptions import ResponseError

from common.errors import RateLimited
from common.store.cluster import is_cluster

LOOK_EVERY_SECONDS = 1.0
RETRY_AFTER_SECONDS = 10.0
# Of the server's own limit; what is left is for the results of jobs that were accepted.
SHARE_FOR_SUBMITS = 0.8


class MemoryPressure:
    """Refuses new jobs while the server uses more memory than it should.

    ``max_bytes`` is that limit; 0 takes a share of the server's own ``maxmemory``, if it has one.
    """

    def __init__(self, client: "redis.Redis", max_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_bytes
        self._looked_at = 0.0
        self._is_full = False

    def check(self) -> None:
        """Raise RateLimited if there is no room. Asks the server at most once a second."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_SECONDS:
            self._looked_at = now
            self._is_full = self._look()
        if self._is_full:
            raise RateLimited(
                "The job store is full.",
                code="store_full",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )

    def _look(self) -> bool:
        try:
            return any(map(self._is_over, memory_of_servers(self._client)))
        except ResponseError:
            return False  # some hosted servers do not tell

    def _is_over(self, memory: dict[str, Any]) -> bool:
        limit = self._max_bytes or SHARE_FOR_SUBMITS * int(memory.get("maxmemory", 0))
        return 0 < limit < int(memory["used_memory"])


def memory_of_servers(client: "redis.Redis") -> list[dict[str, Any]]:
    """What each server says of its memory. A cluster is as full as the fullest of its servers."""
    if not is_cluster(client):
        return [client.info("memory")]
    told: Any = client.info("memory", target_nodes=RedisCluster.PRIMARIES)
    return [told] if "used_memory" in told else list(told.values())
