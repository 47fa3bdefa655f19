"""Every answer and stream of the echo provider, checked strictly against two sets of types."""

import inspect
import json

import openresponses_types
import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from openresponses_types import ResponseResource
from pydantic import BaseModel, TypeAdapter

from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from common.providers.echo_script import SCRIPTS
from common.providers.events import TERMINAL_EVENTS, response_of
from tests.support.fakes import one_by_one

RESPONSE = TypeAdapter(Response)
STREAM_EVENT = TypeAdapter(ResponseStreamEvent)

# Those that end in a failure of the call; `test_echo_failures.py` has them.
FAILING = {"error", "cut-stream", "hang", "reset", "timeout"}

ANSWERING = [row.example for row in SCRIPTS if row.name not in FAILING]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}

TOOL = {"type": "function", "name": "get_weather", "parameters": SCHEMA}

BODIES = {
    "least": {"input": "Hello, my world", "tools": [TOOL]},
    "most": {
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hello, my world"}]},
        ],
        "instructions": "Be kind.",
        "max_output_tokens": 50,
        "max_tool_calls": 2,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_0",
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low"},
        "safety_identifier": "s",
        "service_tier": "auto",
        "store": False,
        "temperature": 0.5,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
        "tool_choice": {"type": "function", "name": "get_weather"},
        "tools": [TOOL],
        "top_logprobs": 0,
        "top_p": 1,
        "truncation": "auto",
        "user": "u",
    },
    "nulls": {
        "input": "Hello, my world",
        "instructions": None,
        "metadata": None,
        "temperature": None,
        "text": None,
        "tool_choice": None,
        "tools": [TOOL],
    },
}


class InstantCall(UpstreamCall):
    """A call for which no time passes."""

    def sleep(self, seconds: float) -> None:
        self.check()


def types_by_name() -> dict[str, type[BaseModel]]:
    """The openresponses model of each event type."""
    models = [model for _, model in inspect.getmembers(openresponses_types, inspect.isclass)]
    return {
        next(iter(model.model_fields["type"].annotation)).value: model
        for model in models
        if model.__name__.endswith("StreamingEvent")
    }


OPEN_EVENTS = types_by_name()

with_every_script = pytest.mark.parametrize("model", ANSWERING)
with_every_body = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())


def request(model, body):
    return ProviderRequest(model, {"model": model, **body}, attempt=3)


def without_schema(value):
    """openresponses-types knows null alone as the schema of a text format."""
    value = json.loads(json.dumps(value))
    if format_ := value.get("text", {}).get("format"):
        format_["schema"] = None if format_["type"] == "json_schema" else format_.pop("schema", 0)
    return orjson.dumps(value)


@with_every_body
@with_every_script
def test_a_whole_answer_is_a_strictly_valid_response(model, body):
    answer = EchoProvider().create(request(model, body), InstantCall())
    RESPONSE.validate_json(answer.raw, strict=True)
    ResponseResource.model_validate_json(without_schema(answer.body), strict=True)
    assert orjson.loads(answer.raw) == answer.body


@with_every_body
@with_every_script
def test_each_event_of_a_stream_is_strictly_valid(model, body):
    if model.startswith(("long", "size")):
        model = model.replace("500", "9").replace("100", "1")
    stream = EchoProvider().stream(request(model, body), InstantCall())
    events = [event for event in one_by_one(stream) if event is not None]
    for event in events:
        STREAM_EVENT.validate_json(event.data, strict=True)
        data = orjson.loads(event.data)
        assert data["type"].encode() == event.name
        if "response" in data:
            data["response"] = orjson.loads(without_schema(data["response"]))
        OPEN_EVENTS[data["type"]].model_validate_json(orjson.dumps(data), strict=True)


@with_every_script
def test_a_stream_tells_what_the_whole_answer_tells(model):
    provider, asked = EchoProvider(), request(model, BODIES["least"])
    whole = provider.create(asked, InstantCall()).body
    events = [orjson.loads(e.data) for e in one_by_one(provider.stream(asked, InstantCall())) if e]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] in TERMINAL_EVENTS for event in events[:-1]] == [False] * len(events[1:])
    assert shape(response_of(events)) == shape(whole)
    deltas = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    assert deltas == Response.model_validate(whole).output_text


def shape(response):
    """The response without what differs each time."""
    if isinstance(response, dict):
        fresh = {"id", "call_id", "created_at", "completed_at"}
        return {key: shape(value) for key, value in response.items() if key not in fresh}
    return [shape(value) for value in response] if isinstance(response, list) else response


def test_a_response_repeats_the_parameters_of_its_request():
    body = EchoProvider().create(request("hello", BODIES["most"]), InstantCall()).body
    sent = BODIES["most"]
    same = ["instructions", "metadata", "max_output_tokens", "max_tool_calls", "store", "user"]
    same += ["parallel_tool_calls", "previous_response_id", "prompt_cache_key", "temperature"]
    same += ["safety_identifier", "tool_choice", "truncation", "top_p"]
    assert {name: body[name] for name in same} == {name: sent[name] for name in same}
    assert body["reasoning"] == {"effort": "low", "summary": None}
    assert body["text"]["format"]["schema"] == SCHEMA
    assert body["text"]["verbosity"] == "medium"
    assert body["tools"] == [{**TOOL, "description": None, "strict": None}]
    assert body["service_tier"] == "default"


def test_a_response_has_openais_defaults_where_the_request_says_nothing():
    body = EchoProvider().create(request("hello", {"input": "a"}), InstantCall()).body
    assert (body["temperature"], body["top_p"], body["truncation"]) == (1.0, 1.0, "disabled")
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([], "auto", True)
    assert (body["store"], body["background"], body["metadata"]) == (True, False, {})
    assert body["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert body["model"] == "hello"


def test_a_request_cannot_set_what_is_the_answers_own():
    own = {"id": "x", "object": "x", "status": "x", "usage": "x", "created_at": "x", "output": "x"}
    answer = EchoProvider().create(request("hello", {"input": "a", **own}), InstantCall())
    RESPONSE.validate_json(answer.raw, strict=True)


def test_answers_share_nothing_that_a_caller_could_change():
    first, second = (
        EchoProvider().create(request("hello", {"input": "a"}), InstantCall()).body
        for _ in range(2)
    )
    shared = [key for key, value in first.items() if isinstance(value, dict | list)]
    assert not [key for key in shared if first[key] is second[key]]
