"""What each owner has used on each day (UTC), in whole numbers that only grow.

A day is a hash with a field for each owner and what is counted. Jobs are counted in their own
partition, by the script that ends them; what is answered without a job is added here.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.store.job_store import JobStore
from common.store.scripts import Argument, store_errors

REQUESTS, JOBS = "requests", "jobs"
INPUT_TOKENS, OUTPUT_TOKENS, NANO_DOLLARS = "input_tokens", "output_tokens", "nano_dollars"
COUNTED = (REQUESTS, JOBS, INPUT_TOKENS, OUTPUT_TOKENS, NANO_DOLLARS)

DAY_SECONDS = 86_400
KEPT_DAYS = 400
# The day is not over when it is counted.
_KEPT_SECONDS = (KEPT_DAYS + 1) * DAY_SECONDS
_MARK_SECONDS = 2 * DAY_SECONDS

# Of a day, an owner and one of COUNTED.
Place = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class UsageOfDay:
    """What an owner has used on a day, since 1970; ``counts`` by the names in COUNTED."""

    day: int
    owner: str
    counts: Counter[str] = field(default_factory=Counter)


class UsageStore:
    """The usage in Redis. Every method raises ServiceUnavailable when Redis is away."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def add(self, sender: str, number: int, counts: Mapping[Place, int]) -> None:
        """Add counts, once: the same number of the same sender twice in a row is the same."""
        days = sorted({day for day, _, _ in counts})
        keys = [self._store.keys.index(f"usage:from:{sender}", 0)]
        keys += [self._store.keys.usage(day, 0) for day in days]
        args: list[Argument] = [number, _MARK_SECONDS, _KEPT_SECONDS]
        for (day, owner, what), amount in counts.items():
            args += [days.index(day) + 1, f"{what}:{owner}", amount]
        self._store.scripts.run("usage_add", keys, args, is_quiet=True)

    def of_last(self, days: int, owner: str | None) -> list[UsageOfDay]:
        """The usage of so many days to today; see ``read``."""
        today = int(time.time()) // DAY_SECONDS
        return self.read(today - days + 1, today, owner)

    def read(self, first_day: int, last_day: int, owner: str | None) -> list[UsageOfDay]:
        """The usage of an owner, or of all when there is none, the oldest day first."""
        days = range(first_day, last_day + 1)
        partitions = range(self._store.keys.partitions)
        with store_errors():
            pipe = self._store.client.pipeline(transaction=False)
            for day in days:
                for partition in partitions:
                    _ask(pipe, self._store.keys.usage(day, partition), owner)
            answers: list[Any] = pipe.execute()
        width = len(partitions)
        return [
            row
            for place, day in enumerate(days)
            for row in _rows(day, answers[place * width : (place + 1) * width], owner)
        ]


def _ask(pipe: Any, key: str, owner: str | None) -> None:
    if owner is None:
        pipe.hgetall(key)
    else:
        pipe.hmget(key, [f"{what}:{owner}" for what in COUNTED])


def _rows(day: int, answers: list[Any], owner: str | None) -> list[UsageOfDay]:
    """The owners of one day, out of what its partitions have answered."""
    found: dict[str, UsageOfDay] = {}
    for answer in answers:
        for what, whose, amount in _counts(answer, owner):
            row = found.setdefault(whose, UsageOfDay(day, whose))
            row.counts[what] += amount
    return [found[whose] for whose in sorted(found)]


def _counts(answer: Any, owner: str | None) -> list[tuple[str, str, int]]:
    if owner is not None:
        named = zip(COUNTED, answer, strict=True)
        return [(what, owner, int(amount)) for what, amount in named if amount is not None]
    parted = ((*name.decode().partition(":"), int(amount)) for name, amount in answer.items())
    return [(what, whose, amount) for what, _, whose, amount in parted]
