"""parse_create_request: what passes, what does not, and which field is named."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from common.errors import InvalidJson, InvalidType, MissingParameter
from common.schemas import CreateResponse, parse_create_request
from common.schemas.parsing import MAX_DEPTH


def parse(**fields: Any) -> dict[str, Any]:
    return parse_create_request(orjson.dumps({"model": "m"} | fields))


def part(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "input_text"} | fields]}]


def function(**fields: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "name": "f"} | fields]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"model": 5}, "model", "a string, got a number"),
    ({"model": ["m"]}, "model", "a string, got an array"),
    ({"input": 5}, "input", "a string or an array, got a number"),
    ({"input": {}}, "input", "a string or an array, got an object"),
    ({"input": None}, "input", "a string or an array, got null"),
    ({"input": ["Hello"]}, "input[0]", "an object, got a string"),
    ({"input": [{"type": 5}]}, "input[0].type", "a string, got a number"),
    ({"input": [{"content": 5}]}, "input[0].content", "a string or an array, got a number"),
    ({"input": part(text=5)}, "input[0].content[0].text", "a string, got a number"),
    ({"input": part(image_url={})}, "input[0].content[0].image_url", "a string, got an object"),
    (
        {"input": [{"type": "function_call_output", "output": 5}]},
        "input[0].output",
        "a string, an array or an object, got a number",
    ),
    ({"instructions": ["Be brief."]}, "instructions", "a string, got an array"),
    ({"temperature": "0.5"}, "temperature", "a number, got a string"),
    ({"temperature": True}, "temperature", "a number, got a boolean"),
    ({"max_output_tokens": 1.5}, "max_output_tokens", "an integer, got a number"),
    ({"max_output_tokens": True}, "max_output_tokens", "an integer, got a boolean"),
    ({"top_logprobs": "5"}, "top_logprobs", "an integer, got a string"),
    ({"stream": "true"}, "stream", "a boolean, got a string"),
    ({"stream": 1}, "stream", "a boolean, got a number"),
    ({"background": "yes"}, "background", "a boolean, got a string"),
    ({"metadata": []}, "metadata", "an object, got an array"),
    ({"metadata": {"foo": 5}}, "metadata.foo", "a string, got a number"),
    ({"include": ["a", 5]}, "include[1]", "a string, got a number"),
    ({"fallbacks": "m"}, "fallbacks", "an array, got a string"),
    ({"fallbacks": [None]}, "fallbacks[0]", "a string, got null"),
    ({"tools": {}}, "tools", "an array, got an object"),
    ({"tools": None}, "tools", "an array, got null"),
    ({"tools": ["f"]}, "tools[0]", "an object, got a string"),
    ({"tools": function(name=5)}, "tools[0].name", "a string, got a number"),
    ({"tools": function(strict="no")}, "tools[0].strict", "a boolean, got a string"),
    ({"tools": function(headers={"a": 1})}, "tools[0].headers.a", "a string, got a number"),
    (
        {"tools": function(parameters={"additionalProperties": 5})},
        "tools[0].parameters.additionalProperties",
        "a boolean or an object, got a number",
    ),
    ({"tool_choice": []}, "tool_choice", "a string or an object, got an array"),
    ({"text": "json"}, "text", "an object, got a string"),
    ({"text": {"format": {"schema": "s"}}}, "text.format.schema", "an object, got a string"),
    ({"reasoning": {"effort": 5}}, "reasoning.effort", "a string, got a number"),
    ({"conversation": 5}, "conversation", "a string or an object, got a number"),
    ({"prompt": {"id": 5}}, "prompt.id", "a string, got a number"),
    (
        {"context_management": [{"compact_threshold": "1"}]},
        "context_management[0].compact_threshold",
        "an integer, got a string",
    ),
    (
        {"stream_options": {"include_obfuscation": 0}},
        "stream_options.include_obfuscation",
        "a boolean, got a number",
    ),
    ({"user": None}, "user", "a string, got null"),
]


@pytest.mark.parametrize(("fields", "param", "expected"), WRONG, ids=lambda v: str(v)[:60])
def test_a_wrong_type_names_its_field_and_what_was_expected(
    fields: dict[str, Any], param: str, expected: str
) -> None:
    with pytest.raises(InvalidType) as caught:
        parse(**fields)

    assert caught.value.param == param
    assert caught.value.message == f"{param}: expected {expected}."
    assert (caught.value.status, caught.value.code) == (400, "invalid_type")


@pytest.mark.parametrize("fields", [case[0] for case in WRONG], ids=lambda v: str(v)[:60])
def test_the_model_refuses_what_the_parser_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CreateResponse.model_validate({"model": "m"} | fields)


PASSES: list[dict[str, Any]] = [
    {},
    {"input": "Hello"},
    {"input": []},
    {"input": [{"role": "user", "content": "Hello"}]},
    {"input": part(text="Hello", prompt_cache_breakpoint={"mode": "explicit"})},
    {"input": [{"type": None, "id": "msg_1"}]},
    {"input": [{"type": "item_reference", "id": "msg_1"}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": "42"}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": part(text="4")}]},
    {"input": [{"type": "tool_search_call", "arguments": {"query": "q"}}]},
    {"input": [{"type": "reasoning", "summary": [], "content": None, "status": None}]},
    {"temperature": 1, "top_p": 0.5},
    {"temperature": 100, "top_logprobs": -1},
    {"metadata": None, "stream": None, "reasoning": None, "store": None, "prompt": None},
    {"metadata": {}, "stream_options": None, "conversation": None, "include": None},
    {"conversation": "conv_1"},
    {"conversation": {"id": "conv_1"}},
    {"tool_choice": "required"},
    {"tool_choice": {"type": "function", "name": "f"}},
    {"tools": function(parameters={"type": ["object", "null"], "enum": [1, None]})},
    {"tools": function(parameters=None, description=None)},
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    {"tools": [{"type": "mcp", "allowed_tools": ["a"], "require_approval": "never"}]},
    {"reasoning": {"effort": "tremendous"}, "service_tier": "platinum"},
    {"fallbacks": ["openai/gpt-5-mini"]},
    # What nobody knows yet goes on to the provider.
    {"presence_penalty": "a lot", "x": {"y": [1, None]}},
    {"input": [{"type": "dream", "name": {}, "content": 5, "id": []}]},
    {"input": [{"role": "user", "content": [{"type": "smell", "text": 5}]}]},
    {"tools": [{"type": "time_machine", "name": 1985}]},
    {"text": {"format": {"type": "poem", "metre": "iambic"}}, "reasoning": {"depth": 3}},
]


@pytest.mark.parametrize("fields", PASSES, ids=lambda v: str(v)[:60])
def test_what_is_right_or_unknown_comes_back_as_it_was_sent(fields: dict[str, Any]) -> None:
    assert parse(**fields) == {"model": "m"} | fields


@pytest.mark.parametrize("fields", PASSES, ids=lambda v: str(v)[:60])
def test_the_model_takes_what_the_parser_takes(fields: dict[str, Any]) -> None:
    sent = {"model": "m"} | fields

    model = CreateResponse.model_validate(sent)
    assert model.model_dump(by_alias=True, exclude_unset=True) == sent


@pytest.mark.parametrize("body", [b"{}", b'{"model":null}', b'{"model":""}', b'{"model":" "}'])
def test_a_missing_model_is_a_missing_parameter(body: bytes) -> None:
    with pytest.raises(MissingParameter) as caught:
        parse_create_request(body)

    assert caught.value.param == "model"
    assert (caught.value.status, caught.value.code) == (400, "missing_required_parameter")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"model=m", "line 1 column 1 (char 0)"),
        (b'{"model":\n "m",}', "line 2 column 5"),
        (b'{"model": NaN}', "line 1 column 11"),
        (b'{"model": "m"', "not valid JSON"),
        (b'{"model": "\xff"}', "not valid UTF-8: byte 11"),
        (b'{"model": "\\ud800"}', "surrogate"),
        (b"[]", "not an array"),
        (b'"m"', "not a string"),
        (b"5", "not a number"),
        (b"true", "not a boolean"),
        (b"null", "not null"),
    ],
)
def test_what_is_no_json_object_is_invalid_json(body: bytes, words: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_create_request(body)

    assert words in caught.value.message
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


def nested(levels: int) -> bytes:
    return b'{"model":"m","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1000, 100_000])
def test_a_body_too_deep_to_be_written_again_is_invalid_json(levels: int) -> None:
    with pytest.raises(InvalidJson, match=r"deep|depth"):
        parse_create_request(nested(levels))


def test_the_deepest_body_allowed_can_be_written_inside_a_record() -> None:
    request = parse_create_request(nested(MAX_DEPTH))

    assert orjson.dumps({"record": {"request": [request]}})


def test_many_brackets_are_not_depth() -> None:
    assert len(parse(input=part(text="a") * 500)["input"]) == 500


def test_a_list_full_of_faults_names_the_first_alone() -> None:
    with pytest.raises(InvalidType) as caught:
        parse(input=[{"role": 5}] * 100_000)

    assert caught.value.param == "input[0].role"


def test_an_object_full_of_faults_names_the_first_alone() -> None:
    with pytest.raises(InvalidType) as caught:
        parse(metadata=dict.fromkeys(map(str, range(100_000)), 5))

    assert caught.value.param == "metadata.0"


def test_a_very_long_name_is_shortened_in_the_error() -> None:
    with pytest.raises(InvalidType) as caught:
        parse(metadata={"k" * 10_000: 5})

    assert len(caught.value.message) < 300
