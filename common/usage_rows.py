"""The usage of days as people and programs are shown it: keys by their names, money in dollars."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from common.store.usage import COUNTED, DAY_SECONDS, NANO_DOLLARS, UsageOfDay
from common.usage import NANO


def usage_rows(
    usage: Iterable[UsageOfDay], name_of: Callable[[str], str | None]
) -> list[dict[str, Any]]:
    """A row for each day and name, in the order given; owners of the same name share one."""
    sums: dict[tuple[int, str | None], Counter[str]] = {}
    for row in usage:
        sums.setdefault((row.day, name_of(row.owner)), Counter()).update(row.counts)
    return [_row(day, key, counts) for (day, key), counts in sums.items()]


def _row(day: int, key: str | None, counts: Counter[str]) -> dict[str, Any]:
    numbers = {what: counts[what] for what in COUNTED if what != NANO_DOLLARS}
    date = datetime.fromtimestamp(day * DAY_SECONDS, UTC).date().isoformat()
    return {"date": date, "key": key, **numbers, "total_cost": counts[NANO_DOLLARS] / NANO}
