"""How the job store's server is reached: timeouts short enough that no request hangs on it."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis import BlockingConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from common.store.cluster import LateCluster

SOCKET_TIMEOUT_SECONDS = 2.0
READER_TIMEOUT_SECONDS = 10.0
# Of one process. Its threads take turns: who finds none free waits for one.
MAX_CONNECTIONS = 64
# A command that blocks does so for less than this.
READER_TIMEOUT_SECONDS = 10.0
SENTINEL_PORT = 26379
CLUSTER_PORT = 6379

# Redis Cluster: enough for any sensible number of nodes to share the load, few enough to look
# through all of them each second.
CLUSTER_PARTITIONS = 32

SENTINEL = "redis+sentinel"
CLUSTER = "redis+cluster"


def connect(url: str) -> "redis.Redis":
    """A client with a pool of its own. Nothing is sent until the first command.

    ``redis://``, ``rediss://`` and ``unix://`` name one server;
    ``redis+sentinel://host:26379,host2:26379/0?master=NAME`` the master that the sentinels know;
    ``redis+cluster://host:6379,host2:6379`` a cluster. Raises ValueError for any other URL.

    A command is sent again once, at once, when its connection turns out to be dead, as idle ones
    are after a restart of the server; every script bears being run twice. A timeout is not.
    """
    return _connect(url, _options(SOCKET_TIMEOUT_SECONDS), MAX_CONNECTIONS)


def connect_readers(url: str, max_connections: int) -> "redis.Redis":
    """The same for commands that block: each takes a connection for as long as it waits."""
    return _connect(url, _options(READER_TIMEOUT_SECONDS), max_connections)


def _connect(url: str, options: dict[str, Any], max_connections: int) -> "redis.Redis":
    scheme = urlsplit(url).scheme
    if scheme == CLUSTER:
        return _of_cluster(url, options)
    options |= {"max_connections": max_connections, "timeout": SOCKET_TIMEOUT_SECONDS}
    if scheme == SENTINEL:
        return _of_sentinel(url, options)
    return redis.Redis.from_pool(BlockingConnectionPool.from_url(url, retry=_retry(), **options))


def partitions_of(url: str) -> int:
    """How many partitions the keys of a store at this URL are spread over."""
    return CLUSTER_PARTITIONS if urlsplit(url).scheme == CLUSTER else 1


def hosts_of(url: str, default_port: int) -> list[tuple[str, int]]:
    """The hosts of a URL that names several; raises ValueError when one cannot be told."""
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    # Each alone is a URL's place, so that the standard library reads ports and IPv6 addresses.
    parts = [urlsplit(f"//{place}") for place in places if place]
    hosts = [(part.hostname, part.port or default_port) for part in parts if part.hostname]
    if not hosts:
        raise ValueError("the URL names no host")
    return hosts


def master_of(url: str) -> str:
    """The name of the master in a sentinel URL; raises ValueError when there is none."""
    names = parse_qs(urlsplit(url).query).get("master")
    if not names:
        raise ValueError("a redis+sentinel URL needs ?master=NAME")
    return names[0]


def credentials_of(url: str) -> dict[str, Any]:
    """``username`` and ``password`` of a URL, as far as it has them."""
    parts = urlsplit(url)
    found = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in found.items() if value}


def database_of(url: str) -> int:
    """The number in the path of a URL; 0 when there is none."""
    path = urlsplit(url).path.strip("/")
    return int(path) if path.isdecimal() else 0


def sentinel_options() -> dict[str, Any]:
    """How a sentinel is asked. When one does not answer the next one is: none is asked twice,
    which would cost seconds for each that is away."""
    return _options(SOCKET_TIMEOUT_SECONDS) | {"retry": Retry(NoBackoff(), 0)}


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """A pool for the master that sentinels know, which waits for a free connection."""


def _of_sentinel(url: str, options: dict[str, Any]) -> "redis.Redis":
    sentinel = Sentinel(
        hosts_of(url, SENTINEL_PORT),
        sentinel_kwargs=sentinel_options(),
        db=database_of(url),
        retry=_retry(),
        **credentials_of(url),
        **options,
    )  # type: ignore[no-untyped-call]
    client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        master_of(url), connection_pool_class=_SentinelPool
    )
    return client


def _of_cluster(url: str, options: dict[str, Any]) -> "redis.Redis":
    client: Any = LateCluster(hosts_of(url, CLUSTER_PORT), options | credentials_of(url))
    return client  # type: ignore[no-any-return]


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 0,
    }


def _retry() -> Retry:
    return Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
