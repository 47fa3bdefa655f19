"""The last hour, minute by minute, and the memory of the store's server."""

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from common.store.job_store import JobStore
from common.store.pressure import memory_of_servers
from common.store.scripts import store_errors

MINUTES = 60
MINUTE_MS = 60_000
COUNTED = ("submitted", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Minute:
    """How many jobs were submitted, and how many ended how, in the minute from ``start_ms`` on."""

    start_ms: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, of all servers together; None where a server does not tell or has no limit."""

    used: int | None
    most: int | None


def last_hour(store: JobStore, now_ms: int) -> list[Minute]:
    """The last 60 minutes, the oldest first and the one that has begun last."""
    this = now_ms // MINUTE_MS
    numbers = range(this - MINUTES + 1, this + 1)
    partitions = range(store.keys.partitions)
    with store_errors():
        pipe = store.client.pipeline(transaction=False)
        for number in numbers:
            for partition in partitions:
                pipe.hmget(store.keys.minute(number, partition), COUNTED)
        answers: list[Any] = pipe.execute()
    width = len(partitions)
    return [
        Minute(number * MINUTE_MS, _summed(answers[place * width : (place + 1) * width]))
        for place, number in enumerate(numbers)
    ]


def _summed(counts: list[list[bytes | None]]) -> dict[str, int]:
    columns = zip(*counts, strict=True)
    return {
        name: sum(map(int, filter(None, column)))
        for name, column in zip(COUNTED, columns, strict=True)
    }


def memory(store: JobStore) -> Memory:
    """What the server uses, and what it may: by our own setting, or else by its own."""
    with store_errors():
        try:
            told = memory_of_servers(store.client)
        except ResponseError:  # some hosted servers do not tell
            return Memory(None, None)
    used = sum(int(server["used_memory"]) for server in told)
    most = store.limits.max_memory_bytes * len(told)
    most = most or sum(int(server.get("maxmemory", 0)) for server in told)
    return Memory(used, most or None)
