"""What a store holds when every job has ended: results until their time is up, and nothing else."""

import contextlib
import json

import redis

from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, PREFIX
from tests.support.processes import StoreServer
from tests.support.waiting import wait_until

# The broker's own: which queues there are, and messages that a killed worker had not confirmed;
# those it delivers again after its visibility timeout, and finds nothing to do.
BROKERS_OWN = ("_kombu.binding", "unacked")


def leftovers(store: StoreServer, timeout_seconds: float = 30.0) -> list[str]:
    """Every key without an expiry that should not be there, once the queue has drained."""
    with store.client() as client:
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not _live(client), "queue and indexes are empty", timeout_seconds)
        forever = [key for key in client.scan_iter(count=1000) if client.ttl(key) == -1]
    return sorted(key.decode() for key in forever if not key.decode().startswith(BROKERS_OWN))


def stored_tokens(store: StoreServer) -> set[str]:
    """The tokens of all jobs that the store knows."""
    tokens = set()
    with store.client() as client:
        for key in client.scan_iter(f"{PREFIX}:*:job:*", count=1000):
            request = client.hget(key, "request")
            if request:
                tokens.add(json.loads(json.loads(request)["input"])["job"])
    return tokens


def _live(client: "redis.Redis") -> list[bytes]:
    """The queue and the indexes, where they are not empty."""
    indexes = [*client.scan_iter(f"{PREFIX}:*:queued", count=1000)]
    indexes += client.scan_iter(f"{PREFIX}:*:running", count=1000)
    indexes += client.scan_iter(f"{PREFIX}:*:parked", count=1000)
    indexes += client.scan_iter(f"{PREFIX}:*:held", count=1000)
    return indexes + [name.encode() for name in (JOBS_QUEUE, CALLED_QUEUE) if client.llen(name)]
