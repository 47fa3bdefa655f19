"""What is different about a Redis Cluster."""

import threading
from collections.abc import Sequence
from typing import Any

from redis.backoff import ConstantBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

# One more try, on a new map of the cluster: a node may just have been replaced.
TRIES_AGAIN = 1
PAUSE_SECONDS = 0.1
# Its pools, one for each node, refuse where others wait: more than any process has threads.
MAX_CONNECTIONS = 4096


class LateCluster:
    """A ``RedisCluster`` that asks for the map of the cluster with the first command.

    redis-py asks when the client is made, so that a process could not start without its cluster.
    """

    def __init__(self, hosts: Sequence[tuple[str, int]], options: dict[str, Any]) -> None:
        self._hosts = hosts
        self._options = {**options, "max_connections": MAX_CONNECTIONS}
        self._wait_seconds: float = options["socket_connect_timeout"]
        self._client: Any = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connected(), name)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _connected(self) -> Any:
        if self._client is not None:
            return self._client
        if not self._lock.acquire(timeout=self._wait_seconds):
            raise RedisConnectionError("the cluster does not answer")
        try:
            if self._client is None:
                self._client = self._connect()
        finally:
            self._lock.release()
        return self._client

    def _connect(self) -> Any:
        node: Any = ClusterNode
        cluster: Any = RedisCluster
        return cluster(
            startup_nodes=[node(host, port) for host, port in self._hosts],
            retry=Retry(ConstantBackoff(PAUSE_SECONDS), TRIES_AGAIN),
            **self._options,
        )


def is_cluster(client: Any) -> bool:
    """Whether the client is one of a Redis Cluster."""
    return isinstance(client, LateCluster | RedisCluster)
