"""The official OpenAI SDK against a running Muninn, at every base_url."""

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from tests.support.waiting import wait_until

ASYNC = {"x-bf-async": "true"}


def finished(sdk: OpenAI, job_id: str) -> Response:
    """Poll as the reference page says until the job has ended."""

    def ended() -> Response | None:
        polled = sdk.responses.create(
            model="echo/hello", input="ignored", extra_headers={"x-bf-async-id": job_id}
        )
        return None if polled.status in ("queued", "in_progress") else polled

    answer = wait_until(ended, "the job ends")
    assert answer is not None
    return answer


def test_inline(any_client):
    answer = any_client.responses.create(model="echo/hello", input="Hello, raven")
    assert answer.output_text == "Hello, raven"
    assert answer.status == "completed"


def test_stream(any_client):
    with any_client.responses.create(model="echo/hello", input="a b c", stream=True) as stream:
        events = list(stream)
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "a b c"
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "a b c"


def test_the_stream_helper_gathers_the_final_response(any_client):
    with any_client.responses.stream(model="echo/reasoning", input="think hard") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "think hard"


def test_submit_and_poll(any_client):
    job = any_client.responses.create(
        model="echo/slow-50ms", input="later", metadata={"k": "v"}, extra_headers=ASYNC
    )
    assert job.status == "queued"
    assert job.output_text == ""
    assert job.background is True
    assert job.metadata == {"k": "v"}
    answer = finished(any_client, job.id)
    assert answer.output_text == "later"
    assert answer.id != job.id


def test_background_and_retrieve(any_client):
    job = any_client.responses.create(model="echo/slow-50ms", input="later", background=True)
    assert job.status == "queued"

    def ended() -> Response | None:
        polled = any_client.responses.retrieve(job.id)
        return polled if polled.status == "completed" else None

    answer = wait_until(ended, "the job ends")
    assert answer.output_text == "later"
    assert any_client.responses.retrieve(answer.id).output_text == "later"


def test_delete(any_client):
    job = any_client.responses.create(model="echo/hello", input="x", extra_headers=ASYNC)
    finished(any_client, job.id)
    assert any_client.responses.delete(job.id) is None
    with pytest.raises(openai.NotFoundError) as caught:
        any_client.responses.retrieve(job.id)
    assert caught.value.code == "job_not_found"


def test_structured_output_parses_into_the_callers_type(client):
    from pydantic import BaseModel

    class Trip(BaseModel):
        city: str
        days: int

    answer = client.responses.parse(model="echo/structured", input="Oslo", text_format=Trip)
    assert isinstance(answer.output_parsed, Trip)


def test_a_function_call_and_its_output_go_round(client):
    tools = [
        {
            "type": "function",
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
    ]
    first = client.responses.create(model="echo/function-call", input="Oslo", tools=tools)
    call = next(item for item in first.output if item.type == "function_call")
    assert call.name == "get_weather"
    second = client.responses.create(
        model="echo/function-call",
        tools=tools,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
    )
    assert "sunny" in second.output_text


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("echo/error-400", openai.BadRequestError),
        ("echo/error-401", openai.AuthenticationError),
        ("echo/error-403", openai.PermissionDeniedError),
        ("echo/error-404", openai.NotFoundError),
        ("echo/error-409", openai.ConflictError),
        ("echo/error-429", openai.RateLimitError),
        ("echo/error-500", openai.InternalServerError),
        ("nowhere/x", openai.NotFoundError),
    ],
)
def test_errors_are_the_sdks_own_exceptions(client, model, expected):
    with pytest.raises(expected) as caught:
        client.responses.create(model=model, input="x")
    assert caught.value.type
    assert caught.value.code
    assert caught.value.body["message"]


def test_a_failed_job_is_a_polite_answer_and_not_an_exception(client):
    job = client.responses.create(model="echo/error-400", input="x", extra_headers=ASYNC)
    answer = finished(client, job.id)
    assert answer.status == "failed"
    assert answer.error.code
    assert answer.output == []


def test_a_cut_stream_is_an_exception_and_not_a_quiet_end(client):
    seen = []
    stream = client.responses.create(model="echo/cut-stream", input="a b c", stream=True)
    with stream, pytest.raises(openai.APIError, match="stop in its answer"):
        seen.extend(event.type for event in stream)
    assert "response.output_text.delta" in seen
    assert "response.completed" not in seen


def test_two_turns_by_the_jobs_id(client):
    job = client.responses.create(model="echo/hello", input="one", extra_headers=ASYNC)
    first = finished(client, job.id)
    second = client.responses.create(model="echo/hello", input="two", previous_response_id=job.id)
    assert second.previous_response_id == first.id
