"""When a failed call is repeated."""

import pytest

from common.errors import (
    InternalError,
    ProviderAnsweredError,
    ProviderConnectTimeout,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.retry_policy import LONGEST_DELAY_SECONDS, retry_delay_seconds


def delay(error, failures=1, max_attempts=5, remaining_seconds=1000.0):
    return retry_delay_seconds(error, failures, max_attempts, remaining_seconds)


def answered(status, **fields):
    return ProviderAnsweredError(status, "x", **fields)


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnreachable("x"),
        ProviderConnectTimeout("x"),
        *(answered(status) for status in (408, 429, 500, 502, 503, 529, 599)),
    ],
    ids=lambda error: f"{type(error).__name__}-{error.status}",
)
def test_what_may_pass_is_repeated(error):
    assert 1 <= delay(error) <= 2


@pytest.mark.parametrize(
    "error",
    [
        ProviderInvalidAnswer("x"),
        ProviderTimeout("x"),
        InternalError("x"),
        *(answered(status) for status in (400, 401, 403, 404, 409, 422)),
    ],
    ids=lambda error: f"{type(error).__name__}-{error.status}",
)
def test_what_will_not_pass_or_may_be_paid_for_is_not(error):
    assert delay(error) is None


def test_the_delay_grows_and_has_a_bound():
    delays = [delay(ProviderUnreachable("x"), n, 1000) for n in range(1, 30)]
    for number, seconds in enumerate(delays):
        assert min(2**number, LONGEST_DELAY_SECONDS) <= seconds
        assert seconds <= min(2**number + 1, LONGEST_DELAY_SECONDS + 1)


def test_delays_differ_so_that_callers_do_not_come_all_at_once():
    assert len({delay(ProviderUnreachable("x")) for _ in range(20)}) > 1


def test_attempts_are_bounded():
    assert delay(ProviderUnreachable("x"), failures=4) is not None
    assert delay(ProviderUnreachable("x"), failures=5) is None


def test_retry_after_is_honoured_even_when_it_is_long():
    assert delay(answered(429, retry_after_seconds=300.0)) == 300.0
    assert delay(answered(429, retry_after_seconds=0.0)) >= 1


def test_no_attempt_starts_after_the_deadline():
    assert delay(answered(429, retry_after_seconds=300.0), remaining_seconds=299) is None
    assert delay(ProviderUnreachable("x"), remaining_seconds=0.5) is None
