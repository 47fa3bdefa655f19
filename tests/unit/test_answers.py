"""What the gateway adds to a whole answer."""

import time

import orjson
import pytest

from common.answers import Exchange, decorate, output_text, splice

RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
EXTRA = {"request_type": "responses"}


def decorated(response, raw=None):
    return orjson.loads(decorate(response, raw or orjson.dumps(response), EXTRA))


def message(*parts):
    return {"type": "message", "content": list(parts)}


def text(value):
    return {"type": "output_text", "text": value}


def test_the_providers_own_bytes_are_kept_and_added_to():
    raw = b'{ "id": "resp_1", "object": "response", "status": "completed", "output": [ ]\n}\n'
    kept = raw.removesuffix(b"\n}\n")
    assert decorate(orjson.loads(raw), raw, EXTRA).startswith(kept + b',"output_text"')
    assert decorated(orjson.loads(raw), raw) == RESPONSE | {
        "output_text": "",
        "extra_fields": EXTRA,
    }


def test_numbers_that_python_would_change_stay_as_they_are():
    raw = b'{"object":"response","status":"completed","output":[],"n":1.0000000000000000001}'
    assert b"1.0000000000000000001" in decorate(orjson.loads(raw), raw, EXTRA)


@pytest.mark.parametrize("name", ["output_text", "extra_fields"])
def test_a_field_that_is_ours_replaces_the_providers(name):
    answer = decorate(RESPONSE | {name: "theirs"}, b"{}", EXTRA)
    assert b"theirs" not in answer
    assert answer.count(name.encode()) == 1


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"object": "text"}, {"object": "response"}),
        ({"output": None}, {"output": []}),
        ({"output": {}}, {"output": []}),
        ({"created_at": 5.9}, {"created_at": 5}),
        ({"completed_at": 6.1}, {"completed_at": 6}),
        ({"status": None}, {"status": "completed"}),
        ({"status": None, "error": {"message": "no"}}, {"status": "failed"}),
    ],
)
def test_what_servers_write_differently_is_put_right(wrong, right):
    answer = decorated(RESPONSE | wrong)
    assert {name: answer[name] for name in right} == right


@pytest.mark.parametrize("missing", ["object", "output", "status"])
def test_what_servers_leave_out_is_filled_in(missing):
    response = {name: value for name, value in RESPONSE.items() if name != missing}
    assert decorated(response)[missing] == RESPONSE[missing]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([], ""),
        ([message(text("a"), text("b"))], "ab"),
        ([message(text("a")), {"type": "reasoning"}, message(text("b"))], "ab"),
        ([message({"type": "refusal", "refusal": "no"})], ""),
        ([{"type": "function_call", "content": [text("no")]}], ""),
        ([message({"type": "output_text", "text": None})], ""),
        ([message("odd", None)], ""),
        (["odd", None, {"type": "message", "content": None}], ""),
        (None, ""),
    ],
)
def test_output_text_joins_the_texts_of_all_messages(output, expected):
    assert output_text({"output": output}) == expected


def test_splice_puts_members_at_the_end_of_an_object():
    assert splice(b'{"a": {"b": 1} }  ', {"c": 2}) == b'{"a": {"b": 1},"c":2}'


def test_extra_fields_say_who_was_asked_for_what_and_how_long_it_took():
    fields = Exchange("p", "p/m", "m-1", time.monotonic() - 2).extra_fields()
    assert 2000 <= fields.pop("latency") < 20_000
    assert fields == {
        "request_type": "responses",
        "provider": "p",
        "model_requested": "p/m",
        "model_deployment": "m-1",
    }
