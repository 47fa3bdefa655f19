"""The response out of a stream's events, and the failure out of its error event."""

import pytest

from common.errors import ProviderAnsweredError, ProviderInvalidAnswer
from common.providers.events import error_of, events_of, response_of

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello, my world", "annotations": []}],
}

CALL = {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


def response(*output, **fields):
    return {"id": "resp_1", "status": "completed", "output": list(output), **fields}


def test_the_response_is_found_in_its_own_events():
    final = response(MESSAGE, CALL)
    assert response_of(events_of(final)) == final


def test_an_output_missing_in_the_last_event_is_gathered_from_the_items():
    final = response(MESSAGE, CALL)
    events = list(events_of(final))
    events[-1]["response"] = final | {"output": []}
    assert response_of(events) == final


def test_a_failed_response_is_a_response():
    final = response(status="failed", error={"code": "server_error", "message": "m"})
    assert response_of(events_of(final)) == final


def test_a_stream_without_a_terminal_event_is_invalid():
    events = list(events_of(response(MESSAGE)))
    with pytest.raises(ProviderInvalidAnswer, match="before its terminal event"):
        response_of(events[:-1])


def test_a_terminal_event_without_a_response_is_invalid():
    with pytest.raises(ProviderInvalidAnswer, match="has no response"):
        response_of([{"type": "response.completed"}])


ERROR = {"code": "bad_thing", "message": "It broke.", "param": "input"}


@pytest.mark.parametrize(
    "event",
    [{"type": "error", **ERROR}, {"type": "error", "error": {"type": "server_error", **ERROR}}],
    ids=["at the top", "in error"],
)
def test_an_error_event_becomes_the_providers_error(event):
    with pytest.raises(ProviderAnsweredError, match=r"It broke\.") as caught:
        response_of([{"type": "response.created"}, event])
    assert (caught.value.status, caught.value.code) == (502, "bad_thing")
    assert (caught.value.param, caught.value.raw) == ("input", event)


def test_the_type_of_an_error_event_is_the_errors_own_and_not_the_events():
    assert error_of({"type": "error", **ERROR}).type == "provider_error"
    assert error_of({"type": "error", "error": {"type": "overloaded"}}).type == "overloaded"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": 503}, 503),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"status": 7}, 502),
        ({}, 502),
    ],
)
def test_an_error_event_has_the_status_it_names_or_means(fields, status):
    error = error_of({"type": "error", **fields})
    assert error.status == status
    assert error.retryable
    assert error.message


def test_an_integer_code_of_an_error_event_becomes_text():
    assert error_of({"type": "error", "error": {"code": 17, "message": "m"}}).code == "17"
