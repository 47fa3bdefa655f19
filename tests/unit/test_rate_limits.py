"""Requests per minute, on fakeredis, and how they are told."""

import logging
import time

import pytest
import redis

from api.limits import duration
from common.store.connection import connect
from common.store.rate_limits import RequestLimits


@pytest.fixture
def limits(redis_client) -> RequestLimits:
    return RequestLimits(redis_client)


def test_a_key_gets_its_limit_and_no_more(limits: RequestLimits) -> None:
    spent = [limits.spend("key_1", 3) for _ in range(5)]
    assert [s and s.is_granted for s in spent] == [True, True, True, False, False]
    assert [s and s.remaining for s in spent] == [2, 1, 0, 0, 0]
    assert all(s and 59 < s.reset_seconds <= 60 for s in spent)


def test_keys_do_not_share(limits: RequestLimits) -> None:
    assert [getattr(limits.spend(k, 1), "is_granted", 0) for k in ("a", "b", "a")] == [
        True,
        True,
        False,
    ]


def test_the_window_moves(limits: RequestLimits, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for second, expected in ((0, True), (30, True), (59, False), (61, True), (62, False)):
        monkeypatch.setattr(time, "time", lambda at=now + second: at)
        spent = limits.spend("key_1", 2)
        assert spent
        assert spent.is_granted == expected, second


def test_many_at_once_are_counted_all_or_none(limits: RequestLimits) -> None:
    assert [getattr(limits.spend("k", 5, n), "is_granted", 0) for n in (4, 2, 1)] == [
        True,
        False,
        True,
    ]


def test_nothing_stays_in_the_store_for_ever(limits: RequestLimits, redis_client) -> None:
    limits.spend("key_1", 3)
    (key,) = redis_client.keys("*")
    assert key.startswith(b"muninn:limits")
    assert 0 < redis_client.ttl(key) <= 60


def test_while_the_store_is_away_calls_go_on_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.store.rate_limits.REST_SECONDS", 0.0)
    client: redis.Redis = connect("redis://127.0.0.1:1/0")
    limits = RequestLimits(client)
    with caplog.at_level(logging.WARNING):
        assert [limits.spend("key_1", 1) for _ in range(3)] == [None, None, None]
    assert [record.getMessage() for record in caplog.records] == [
        "requests are not limited: error=ConnectionError"
    ]
    client.close()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0ms"), (0.12, "120ms"), (1, "1s"), (12.5, "12.5s"), (60, "1m0s"), (361.25, "6m1.25s")],
)
def test_times_are_written_as_openai_does(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
