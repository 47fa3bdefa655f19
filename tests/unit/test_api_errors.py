"""Exceptions as JSON: one shape for all of them."""

import inspect

import orjson
import pytest

from api.errors import error_reply
from common import errors
from common.errors import (
    JobNotFound,
    MuninnError,
    ProviderAnsweredError,
    ProviderTimeout,
    RateLimited,
    ServiceUnavailable,
)
from tests.support.calling import check_error_shape


def body_of(error):
    reply = error_reply(error)
    body = orjson.loads(reply.body)
    check_error_shape(body)
    assert reply.status == body["status_code"]
    assert reply.content_type == "application/json"
    return reply, body


def every_error():
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if not issubclass(kind, MuninnError):
            continue
        if kind is ProviderAnsweredError:
            yield kind(418, "said")
        else:
            yield kind() if kind is JobNotFound else kind("said")


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: type(error).__name__)
def test_every_failure_has_the_one_shape(error):
    reply, body = body_of(error)
    assert (body["status_code"], body["type"]) == (error.status, error.type)
    assert body["error"]["code"] == error.code
    assert body["error"]["message"] == error.message
    assert body["is_bifrost_error"] is not isinstance(error, ProviderAnsweredError)
    assert reply.headers["x-request-id"] == body["event_id"]


def test_param_and_the_place_of_the_failure_are_told():
    error = ProviderTimeout("late", param="input")
    error.provider, error.model_requested = "p", "p/m"
    _, body = body_of(error)
    assert body["error"]["param"] == "input"
    assert body["extra_fields"] == {
        "provider": "p",
        "model_requested": "p/m",
        "request_type": "responses",
    }


@pytest.mark.parametrize(("seconds", "header"), [(2.0, "2"), (0.2, "1"), (5.01, "6"), (0.0, "0")])
def test_retry_after_is_in_whole_seconds_rounded_up(seconds, header):
    for kind in (RateLimited, ServiceUnavailable):
        reply, _ = body_of(kind("later", retry_after_seconds=seconds))
        assert reply.headers["retry-after"] == header


def test_the_providers_own_headers_win():
    error = ProviderAnsweredError(
        429,
        "slow down",
        retry_after_seconds=1.2,
        headers={"x-request-id": "req_1", "retry-after": "1.2", "x-ratelimit-limit": "5"},
    )
    reply, _ = body_of(error)
    assert reply.headers["x-request-id"] == "req_1"
    assert reply.headers["retry-after"] == "1.2"
    assert reply.headers["x-ratelimit-limit"] == "5"


def test_two_failures_have_two_event_ids():
    assert body_of(JobNotFound())[1]["event_id"] != body_of(JobNotFound())[1]["event_id"]


@pytest.mark.parametrize("error", [RuntimeError("password=1"), KeyError("password"), OSError()])
def test_anything_unforeseen_is_a_500_that_tells_nothing(error, caplog):
    _, body = body_of(error)
    assert (body["status_code"], body["error"]["code"]) == (500, "internal_error")
    assert "password" not in orjson.dumps(body).decode()
    assert "unforeseen failure" in caplog.text
