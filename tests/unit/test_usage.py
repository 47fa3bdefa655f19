"""What a response used, and how a front sums it up."""

import pytest

from common.errors import ServiceUnavailable
from common.store.job_store import JobStore
from common.store.usage import DAY_SECONDS, UsageStore
from common.usage import NOTHING, Usage, usage_of
from common.usage_counter import UsageCounter

PRICE = {"input_tokens_cost": 0.1, "output_tokens_cost": 0.2, "total_cost": 0.3}
TOLD = {"input_tokens": 3, "output_tokens": 4}
DAY = 20_000


class Unsteady:
    """A store that fails when it is told to: before it adds, or after."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store
        self.fails = ""
        self.asked = 0

    def add(self, sender, number, counts) -> None:
        self.asked += 1
        if self.fails != "before":
            self._store.add(sender, number, counts)
        if self.fails:
            raise ServiceUnavailable("away")


@pytest.fixture
def usage(store: JobStore) -> UsageStore:
    return UsageStore(store)


@pytest.fixture
def counter(usage: UsageStore, monkeypatch: pytest.MonkeyPatch) -> UsageCounter:
    monkeypatch.setattr("common.usage_counter.time.time", lambda: DAY * DAY_SECONDS + 1.5)
    return UsageCounter(Unsteady(usage))


def counted(usage: UsageStore, owner: str | None = "key_1") -> dict[str, int]:
    return {row.owner: dict(row.counts) for row in usage.read(DAY - 1, DAY + 1, owner)}.get(
        owner or "", {}
    )


@pytest.mark.parametrize(
    ("told", "cost", "expected"),
    [
        (None, None, NOTHING),
        ("many", None, NOTHING),
        (TOLD, None, Usage(3, 4, 0)),
        (TOLD, PRICE, Usage(3, 4, 300_000_000)),
        ({**TOLD, "cost": PRICE}, None, Usage(3, 4, 300_000_000)),
        ({**TOLD, "cost": 0.0000001}, None, Usage(3, 4, 100)),
        ({**TOLD, "cost": {"total_cost": 9}}, PRICE, Usage(3, 4, 300_000_000)),
        ({"input_tokens": -1, "output_tokens": True}, None, NOTHING),
        ({"input_tokens": 2.5, "output_tokens": 10**18}, None, NOTHING),
        ({**TOLD, "cost": -1}, None, Usage(3, 4, 0)),
        ({**TOLD, "cost": float("nan")}, None, Usage(3, 4, 0)),
        ({**TOLD, "cost": 1e300}, None, Usage(3, 4, 0)),
    ],
    ids=str,
)
def test_usage_is_what_is_told_as_far_as_it_makes_sense(told, cost, expected) -> None:
    assert usage_of(told, cost) == expected


def test_money_adds_up_without_drifting(counter: UsageCounter, usage: UsageStore) -> None:
    for _ in range(1000):
        counter.count("key_1", {**TOLD, "cost": 0.0001})
    counter.flush()
    assert counted(usage) == {
        "requests": 1000,
        "input_tokens": 3000,
        "output_tokens": 4000,
        "nano_dollars": 100_000_000,
    }


def test_every_owner_and_nobody_has_sums_of_its_own(
    counter: UsageCounter, usage: UsageStore
) -> None:
    for owner in ("key_1", "env:ops", "", "key_1"):
        counter.count(owner, None)
    counter.flush()
    rows = {row.owner: dict(row.counts) for row in usage.read(DAY, DAY, None)}
    assert rows == {"": {"requests": 1}, "env:ops": {"requests": 1}, "key_1": {"requests": 2}}
    assert counted(usage, "env:ops") == {"requests": 1}
    assert usage.read(DAY + 1, DAY + 9, None) == []


def test_what_is_counted_while_the_store_is_away_comes_later(
    counter: UsageCounter, usage: UsageStore
) -> None:
    counter._store.fails = "before"
    for _ in range(3):
        counter.count("key_1", TOLD)
        with pytest.raises(ServiceUnavailable):
            counter.flush()
    counter._store.fails = ""
    counter.stop()
    assert counted(usage) == {"requests": 3, "input_tokens": 9, "output_tokens": 12}


def test_a_lost_answer_of_the_store_counts_nothing_twice(
    counter: UsageCounter, usage: UsageStore
) -> None:
    counter.count("key_1", TOLD)
    counter._store.fails = "after"
    with pytest.raises(ServiceUnavailable):
        counter.flush()
    counter.count("key_1", TOLD)
    counter._store.fails = ""
    counter.stop()
    assert counted(usage) == {"requests": 2, "input_tokens": 6, "output_tokens": 8}


def test_nothing_to_count_asks_nobody(counter: UsageCounter) -> None:
    counter.flush()
    counter.stop()
    assert counter._store.asked == 0


def test_a_front_that_goes_while_the_store_is_away_says_what_is_lost(
    counter: UsageCounter, caplog: pytest.LogCaptureFixture
) -> None:
    counter.count("key_1", TOLD)
    counter._store.fails = "before"
    counter.stop()
    assert "usage of the last moments is lost" in caplog.text


def test_the_usage_of_a_day_is_kept_for_a_good_400_days(
    counter: UsageCounter, store: JobStore
) -> None:
    counter.count("", None)
    counter.flush()
    seconds = store.client.ttl(store.keys.usage(DAY, 0))
    assert 400 * DAY_SECONDS < seconds <= 401 * DAY_SECONDS
    assert all(store.client.ttl(key) > 0 for key in store.client.keys("*"))
