"""The headers that speak to the gateway."""

import pytest

from api.headers import idempotency_key, parse_headers, result_ttl_seconds
from api.incoming import Incoming
from common.errors import InvalidValue
from common.inference import CallOptions


def incoming(**headers):
    return Incoming({f"HTTP_{name.upper()}": value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("value", "is_async"),
    [
        (None, False),
        ("", False),
        ("  ", False),
        ("false", False),
        ("False", False),
        ("true", True),
        ("TRUE", True),
        (" tRuE ", True),
    ],
)
def test_async_is_true_false_or_empty_in_any_case(value, is_async):
    headers = {} if value is None else {"x_bf_async": value}
    assert parse_headers(incoming(**headers)).is_async is is_async


@pytest.mark.parametrize("value", ["1", "yes", "on", "true,true", "null", "trüe"])
@pytest.mark.parametrize(
    "name", ["x-bf-async", "x-bf-send-back-raw-request", "x-bf-send-back-raw-response"]
)
def test_any_other_value_is_refused_by_name(name, value):
    with pytest.raises(InvalidValue) as caught:
        parse_headers(incoming(**{name.replace("-", "_"): value}))
    assert caught.value.param == name
    assert name in caught.value.message


def test_the_id_wins_and_the_other_headers_are_not_looked_at():
    headers = parse_headers(
        incoming(x_bf_async_id="some-id", x_bf_async="odd", x_bf_send_back_raw_request="odd")
    )
    assert headers.poll_id == "some-id"
    assert headers.is_async is False


def test_an_empty_id_is_an_id_and_a_missing_one_is_none():
    assert parse_headers(incoming(x_bf_async_id="")).poll_id == ""
    assert parse_headers(incoming()).poll_id is None


def test_raw_options_are_read():
    headers = parse_headers(incoming(x_bf_send_back_raw_request="True"))
    assert headers.options == CallOptions(raw_request=True, raw_response=False)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 3600),
        ("", 3600),
        ("soon", 3600),
        ("0", 3600),
        ("-1", 3600),
        ("+5", 3600),
        ("1.5", 3600),
        ("1e3", 3600),
        ("0x10", 3600),
        ("10 s", 3600),
        ("\u0665", 3600),
        ("\u00b2", 3600),
        ("9" * 5000, 3600),
        ("1", 1),
        (" 60 ", 60),
        ("007", 7),
        ("7200", 7200),
        ("7201", 7200),
        ("9" * 18, 7200),
    ],
)
def test_the_ttl_is_a_whole_positive_number_of_seconds_or_the_default(value, seconds):
    headers = {} if value is None else {"x_bf_async_job_result_ttl": value}
    assert result_ttl_seconds(incoming(**headers), default=3600, maximum=7200) == seconds


@pytest.mark.parametrize("value", ["", "  ", "k" * 256])
def test_an_idempotency_key_that_is_empty_or_too_long_is_refused(value):
    with pytest.raises(InvalidValue) as caught:
        idempotency_key(incoming(idempotency_key=value))
    assert caught.value.param == "idempotency-key"


def test_an_idempotency_key_is_optional():
    assert idempotency_key(incoming()) is None
    assert idempotency_key(incoming(idempotency_key="k" * 255)) == "k" * 255
