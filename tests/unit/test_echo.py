"""What the scripts of the echo provider answer."""

import orjson
import pytest

from common.errors import ProviderAnsweredError
from common.providers.base import Provider, ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from common.providers.echo_script import SCRIPTS, markdown_table, scripted

TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


class RecordingCall(UpstreamCall):
    """A call for which no time passes; ``slept`` has what was asked for, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.check()


def create(model, provider=None, call=None, **body):
    asked = ProviderRequest(model, {"model": model, "input": "Hello, my world"} | body)
    return (provider or EchoProvider()).create(asked, call or RecordingCall())


def open_stream(model, **body):
    asked = ProviderRequest(model, {"model": model, "input": "Hello, my world"} | body)
    return EchoProvider().stream(asked, RecordingCall())


def text_of(body):
    parts = [part for item in body["output"] for part in item.get("content", [])]
    return "".join(part["text"] for part in parts)


with_both_ways = pytest.mark.parametrize("way", [create, open_stream])


def test_the_echo_provider_is_a_provider():
    provider: Provider = EchoProvider("other")
    assert provider.name == "other"


@pytest.mark.parametrize("model", ["hello", "echo"])
def test_hello_repeats_the_input(model):
    assert text_of(create(model).body) == "Hello, my world"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([{"role": "user", "content": "one"}], "one"),
        ([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}], "two"),
        ([{"role": "user", "content": "one"}, {"role": "assistant", "content": "no"}], "one"),
        (
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "one"},
                        {"type": "input_image", "image_url": "x"},
                        {"type": "input_text", "text": "two"},
                    ],
                }
            ],
            "one\ntwo",
        ),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "Hello!"),
        ([{"role": "system", "content": "no"}], "Hello!"),
        ([], "Hello!"),
        ("", "Hello!"),
        (None, "Hello!"),
        (["text", 5], "Hello!"),
    ],
)
def test_hello_repeats_the_last_user_message(given, text):
    assert text_of(create("hello", input=given).body) == text


def test_every_answer_has_ids_of_its_own():
    provider = EchoProvider()
    answers = [create("reasoning", provider=provider).body for _ in range(3)]
    ids = [answer["id"] for answer in answers]
    ids += [item["id"] for answer in answers for item in answer["output"]]
    assert len(set(ids)) == 9
    assert {each.split("_")[0] for each in ids} == {"resp", "rs", "msg"}


def test_words_are_counted_as_tokens():
    usage = create("hello", instructions="Be very kind.").body["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (6, 3, 9)
    assert usage["input_tokens_details"]["cached_tokens"] == 0


def test_a_request_id_is_among_the_headers():
    assert create("hello").headers["x-request-id"].startswith("req_")
    assert open_stream("hello").headers["x-request-id"].startswith("req_")


def test_an_answer_longer_than_max_output_tokens_is_cut_and_incomplete():
    body = create("hello", max_output_tokens=2).body
    assert text_of(body) == "Hello, my"
    assert (body["status"], body["output"][0]["status"]) == ("incomplete", "incomplete")
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert body["completed_at"] is None
    assert body["usage"]["output_tokens"] == 2


def test_an_answer_within_max_output_tokens_is_whole():
    assert create("hello", max_output_tokens=3).body["status"] == "completed"


def test_incomplete_stops_half_way():
    body = create("incomplete", input="a b c d").body
    assert (text_of(body), body["status"]) == ("a b", "incomplete")
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert create("incomplete", input="a").body["status"] == "incomplete"


@pytest.mark.parametrize(
    ("model", "seconds"), [("slow-2s", 2), ("slow-0.5s", 0.5), ("slow-50ms", 0.05), ("slow-0s", 0)]
)
def test_slow_waits_and_repeats_the_input(model, seconds):
    call = RecordingCall()
    assert text_of(create(model, call=call).body) == "Hello, my world"
    assert call.slept == [seconds]


def test_function_call_calls_the_first_function():
    tools = [{"type": "web_search"}, TOOL, {"type": "function", "name": "other"}]
    (item,) = create("function-call", input="Paris", tools=tools).body["output"]
    assert (item["type"], item["name"]) == ("function_call", "get_weather")
    assert orjson.loads(item["arguments"]) == {"city": "Paris"}
    assert item["call_id"].startswith("call_")


def test_function_call_calls_the_function_that_is_chosen():
    other = {"type": "function", "name": "other"}
    choice = {"type": "function", "name": "other"}
    body = create("function-call", tools=[TOOL, other], tool_choice=choice).body
    assert (body["output"][0]["name"], body["output"][0]["arguments"]) == ("other", "{}")


def test_function_call_repeats_the_output_of_the_tool():
    call = {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "sunny"}
    given = [{"role": "user", "content": "Paris"}, call, output]
    assert text_of(create("function-call", input=given, tools=[TOOL]).body) == "sunny"


@with_both_ways
@pytest.mark.parametrize("tools", [None, [], "x", [{"type": "web_search"}]])
def test_function_call_without_a_function_is_a_bad_request(way, tools):
    with pytest.raises(ProviderAnsweredError) as caught:
        way("function-call", tools=tools)
    assert (caught.value.status, caught.value.param) == (400, "tools")


def test_reasoning_thinks_before_it_answers():
    body = create("reasoning").body
    thought, message = body["output"]
    assert (thought["type"], message["type"]) == ("reasoning", "message")
    summary_words = len(thought["summary"][0]["text"].split())
    assert body["usage"]["output_tokens_details"]["reasoning_tokens"] == summary_words
    assert body["usage"]["output_tokens"] == summary_words + 3


def test_structured_answers_json_of_the_schema():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    wanted = {"format": {"type": "json_schema", "name": "n", "schema": schema}}
    answer = create("structured", text=wanted).body
    assert orjson.loads(text_of(answer)) == {"a": "Hello, my world"}


@pytest.mark.parametrize("text", [None, {"format": {"type": "json_object"}}, {"format": "x"}])
def test_structured_without_a_schema_answers_an_object(text):
    answer = create("structured", text=text).body
    assert orjson.loads(text_of(answer)) == {"echo": "Hello, my world"}


@with_both_ways
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 10**9},
        {"type": "array", "minItems": "x"},
        {"type": "string", "minLength": "x"},
        {"type": "object", "required": 5},
        {"type": "object", "required": [5]},
        {"type": "number", "minimum": "x"},
        {"type": "number", "minimum": 1, "multipleOf": 0},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"anyOf": 5},
    ],
)
def test_a_schema_without_a_value_is_a_bad_request(way, schema):
    with pytest.raises(ProviderAnsweredError) as caught:
        way("structured", text={"format": {"type": "json_schema", "schema": schema}})
    assert (caught.value.status, caught.value.param) == (400, "text.format.schema")


def test_long_answers_that_many_words():
    body = create("long-7").body
    assert text_of(body) == "Hello, my world Hello, my world Hello,"
    assert body["usage"]["output_tokens"] == 7


def test_size_answers_a_text_of_that_size():
    assert len(text_of(create("size-3kb").body)) == 3 * 1024


def test_refusal_refuses():
    (part,) = create("refusal").body["output"][0]["content"]
    assert part["type"] == "refusal"
    assert part["refusal"]


def test_failed_answers_a_failed_response():
    body = create("failed").body
    assert (body["status"], body["output"], body["usage"]) == ("failed", [], None)
    assert body["error"]["code"] == "server_error"
    assert body["error"]["message"]


def test_every_script_in_the_table_has_an_example_that_is_understood():
    assert [scripted(row.example).name for row in SCRIPTS] == [row.name for row in SCRIPTS]


def test_the_table_for_the_readme_has_a_line_for_each_script():
    lines = markdown_table().splitlines()
    assert len(lines) == 2 + len(SCRIPTS)
    assert lines[2] == "| `hello` | `hello` | Repeats the text of the input. |"
