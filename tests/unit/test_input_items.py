"""The input of a request as the list of items that OpenAI's API shows."""

import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from common.input_items import input_items

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
ITEM: TypeAdapter[ResponseItem] = TypeAdapter(ResponseItem)


def test_a_text_is_one_message_of_the_user():
    (item,) = input_items(JOB_ID, "hi")
    assert item["role"] == "user"
    assert item["content"] == [{"type": "input_text", "text": "hi"}]
    ITEM.validate_python(item)


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_a_message_gets_what_it_left_out(role):
    (item,) = input_items(JOB_ID, [{"role": role, "content": "hi"}])
    assert (item["type"], item["status"]) == ("message", "completed")
    assert item["content"][0]["type"] == "input_text"
    ITEM.validate_python(item)


def test_a_message_of_the_assistant_is_output():
    (item,) = input_items(JOB_ID, [{"role": "assistant", "content": "hi"}])
    assert item["content"] == [
        {"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}
    ]
    ITEM.validate_python(item)


def test_other_items_stay_as_they_are_and_keep_their_ids():
    given = [
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "of_tomorrow", "deep": [1]},
    ]
    first, second = input_items(JOB_ID, given)
    assert first == given[0]
    assert {k: v for k, v in second.items() if k != "id"} == given[1]


def test_ids_are_the_same_at_each_call_and_differ_between_items_and_jobs():
    given = [{"role": "user", "content": "hi"}] * 3
    ids = [item["id"] for item in input_items(JOB_ID, given)]
    assert ids == [item["id"] for item in input_items(JOB_ID, given)]
    assert len(set(ids)) == 3
    assert ids[0] != input_items("another", given)[0]["id"]


@pytest.mark.parametrize("nothing", [None, [], ["no item", 5, None]])
def test_no_input_is_an_empty_list(nothing):
    assert input_items(JOB_ID, nothing) == []


def test_what_was_given_is_not_changed():
    given = [{"role": "user", "content": "hi"}]
    input_items(JOB_ID, given)
    assert given == [{"role": "user", "content": "hi"}]
