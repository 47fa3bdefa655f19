"""Inline calls over real HTTP."""

import pytest
import requests

from tests.support.calling import check_error, post
from tests.support.strict import check_response

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}


def test_an_inline_call_answers_the_providers_response_with_what_the_gateway_adds(base_url):
    answer = post(base_url, {"model": "echo/hello", "input": "Hello, raven"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = check_response(answer.content)
    assert body["output_text"] == "Hello, raven"
    assert body["status"] == "completed"
    latency = body["extra_fields"].pop("latency")
    assert isinstance(latency, int)
    assert body["extra_fields"] == {
        "request_type": "responses",
        "provider": "echo",
        "model_requested": "echo/hello",
        "model_deployment": "hello",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"model": "echo/function-call", "tools": [TOOL]},
        {"model": "echo/reasoning"},
        {
            "model": "echo/structured",
            "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}},
        },
        {"model": "echo/refusal"},
        {"model": "echo/incomplete"},
        {"model": "echo/failed"},
        {"model": "echo/long-50"},
        {"model": "echo/slow-20ms"},
        {"model": "hello"},
    ],
    ids=lambda body: body["model"],
)
def test_every_kind_of_answer_is_strictly_valid(v1, body):
    answer = post(v1, {"input": "Hello, my world", **body})
    assert answer.status_code == 200
    check_response(answer.content)


def test_a_bare_model_name_goes_to_the_default_provider(v1):
    body = post(v1, {"model": "hello", "input": "hi"}).json()
    assert body["extra_fields"]["provider"] == "echo"
    assert body["extra_fields"]["model_requested"] == "hello"


@pytest.mark.parametrize("value", ["false", "FALSE", ""])
def test_async_false_or_empty_means_inline(v1, value):
    body = post(v1, {"model": "echo/hello", "input": "hi"}, x_bf_async=value).json()
    assert body["status"] == "completed"


def test_raw_request_and_raw_response_come_back_only_when_asked_for(v1):
    plain = post(v1, {"model": "echo/hello", "input": "hi"}).json()
    assert {"raw_request", "raw_response"}.isdisjoint(plain["extra_fields"])
    asked = post(
        v1,
        {"model": "echo/hello", "input": "hi"},
        x_bf_send_back_raw_request="true",
        x_bf_send_back_raw_response="True",
    ).json()
    fields = asked["extra_fields"]
    assert fields["raw_request"] == {"model": "hello", "input": "hi", "stream": False}
    assert fields["raw_response"]["id"] == asked["id"]
    assert "extra_fields" not in fields["raw_response"]


def test_a_trailing_slash_is_forgiven(v1):
    answer = requests.post(
        f"{v1}/responses/", json={"model": "echo/hello", "input": "hi"}, timeout=10
    )
    assert answer.json()["output_text"] == "hi"


def test_the_request_id_of_the_provider_passes_on(v1):
    assert post(v1, {"model": "echo/hello", "input": "hi"}).headers["x-request-id"]


def test_flaky_fails_inline_as_often_as_asked_then_works(v1):
    body = {"model": "echo/flaky-2", "input": "inline and flaky"}
    for _ in range(2):
        check_error(post(v1, body), 503, "server_error", "server_overloaded")
    assert post(v1, body).json()["output_text"] == "inline and flaky"


def test_a_body_of_many_scripts_comes_back_as_it_went(v1):
    text = 'Hrafn \u2028 \u0085 \U0001f426 "quoted" \\ back\nnew'
    assert post(v1, {"model": "echo/hello", "input": text}).json()["output_text"] == text
