"""How the scripts of the echo provider fail, and how they are aborted."""

import threading

import pytest

from common.errors import (
    CallAborted,
    ProviderAnsweredError,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider, FailureCounter
from common.providers.echo_script import SCRIPTS, scripted


class RecordingCall(UpstreamCall):
    """A call for which no time passes; ``slept`` has what was asked for, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.check()


def create(model, attempt=0, provider=None, call=None, **body):
    asked = ProviderRequest(model, {"model": model, "input": "Hello, my world"} | body, attempt)
    return (provider or EchoProvider()).create(asked, call or RecordingCall())


def open_stream(model, attempt=0, **body):
    asked = ProviderRequest(model, {"model": model, "input": "Hello, my world"} | body, attempt)
    return EchoProvider().stream(asked, RecordingCall())


with_both_ways = pytest.mark.parametrize("way", [create, open_stream])


@with_both_ways
@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "invalid_value"),
        (401, "invalid_request_error", "invalid_api_key"),
        (418, "invalid_request_error", "invalid_value"),
        (500, "server_error", "server_error"),
        (503, "server_error", "server_overloaded"),
        (599, "server_error", "server_error"),
    ],
)
def test_error_answers_that_status_in_openais_shape(way, status, kind, code):
    with pytest.raises(ProviderAnsweredError) as caught:
        way(f"error-{status}")
    error = caught.value
    assert (error.status, error.type, error.code) == (status, kind, code)
    assert error.raw == {
        "error": {"message": error.message, "type": kind, "param": None, "code": code}
    }
    assert error.headers.keys() == {"x-request-id"}


def test_error_429_asks_for_a_pause():
    with pytest.raises(ProviderAnsweredError) as caught:
        create("error-429")
    assert (caught.value.code, caught.value.retryable) == ("rate_limit_exceeded", True)
    assert caught.value.retry_after_seconds == 1
    assert caught.value.headers["retry-after"] == "1"


@with_both_ways
@pytest.mark.parametrize("attempt", [1, 2])
def test_flaky_fails_the_first_attempts_of_a_job(way, attempt):
    with pytest.raises(ProviderAnsweredError) as caught:
        way("flaky-2", attempt=attempt)
    assert (caught.value.status, caught.value.retryable) == (503, True)


def test_flaky_works_in_the_next_attempt_of_a_job():
    assert create("flaky-2", attempt=3).body["status"] == "completed"


def fails(provider, **body):
    try:
        create("flaky-2", provider=provider, **body)
    except ProviderAnsweredError:
        return True
    return False


def test_flaky_counts_calls_that_are_no_jobs_by_their_body_and_starts_over():
    provider = EchoProvider()
    assert [fails(provider, input="a") for _ in range(2)] == [True, True]
    assert fails(provider, input="b")
    assert not fails(provider, input="a")
    assert fails(provider, input="a")


def test_the_counter_of_failures_forgets_the_oldest_body():
    counter = FailureCounter(most_bodies=2)
    bodies = [{"input": number} for number in range(3)]
    assert all(counter.fails(body, 1) for body in bodies)
    assert [counter.fails(body, 1) for body in reversed(bodies)] == [False, False, True]


@with_both_ways
def test_reset_is_unreachable(way):
    with pytest.raises(ProviderUnreachable):
        way("reset")


@with_both_ways
def test_timeout_times_out(way):
    with pytest.raises(ProviderTimeout):
        way("timeout")


def test_a_cut_answer_is_invalid():
    with pytest.raises(ProviderInvalidAnswer):
        create("cut-stream")


def test_hang_gives_up_after_a_very_long_time():
    call = RecordingCall()
    with pytest.raises(ProviderTimeout):
        create("hang", call=call)
    assert call.slept == [3600]


@pytest.mark.parametrize("model", ["hang", "slow-3600s"])
def test_abort_wakes_a_waiting_call_at_once(model):
    waiting, reasons = threading.Event(), []

    class SignallingCall(UpstreamCall):
        def sleep(self, seconds: float) -> None:
            waiting.set()
            super().sleep(seconds)

    def run():
        try:
            create(model, call=call)
        except CallAborted as error:
            reasons.append(error.reason)

    call = SignallingCall()
    thread = threading.Thread(target=run)
    thread.start()
    assert waiting.wait(10)
    call.abort("cancelled")
    thread.join(10)
    assert reasons == ["cancelled"]


@pytest.mark.parametrize("model", ["hello", "hang"])
@pytest.mark.parametrize("verb", [EchoProvider.create, EchoProvider.stream])
def test_a_call_aborted_beforehand_is_not_made(model, verb):
    call = UpstreamCall()
    call.abort("cancelled")
    with pytest.raises(CallAborted):
        verb(EchoProvider(), ProviderRequest(model, {}), call)


UNKNOWN = ["gpt-5", "", "hello-2", "slow", "slow-2", "slow-s", "slow-3601s", "slow--1s", "slow-2S"]
UNKNOWN += ["error-200", "error-600", "error-429.5", "flaky-", "flaky-1.5", "long-0", "long-100001"]
UNKNOWN += ["size-1mb", "size-16385kb", "Hello", "hello\n", "slow-\u0662s", "long-9999999999"]


@with_both_ways
@pytest.mark.parametrize("model", UNKNOWN)
def test_an_unknown_script_is_not_found_and_the_known_ones_are_named(way, model):
    with pytest.raises(ProviderAnsweredError) as caught:
        way(model)
    error = caught.value
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert all(row.form in error.message for row in SCRIPTS)


def test_a_number_out_of_bounds_is_answered_with_the_bounds():
    with pytest.raises(ProviderAnsweredError, match="whole number from 400 to 599"):
        scripted("error-600")
