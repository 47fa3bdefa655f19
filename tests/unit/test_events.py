"""The events of a whole response: their order, numbers, places and shapes."""

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from common.providers.events import TERMINAL_EVENTS, events_of, words

STREAM_EVENT = TypeAdapter(ResponseStreamEvent)

USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 3,
}


def response(*output, **fields):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "completed_at": 2,
        "status": "completed",
        "model": "m",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE,
        **fields,
    }


def text_part(text, *annotations):
    return {
        "type": "output_text",
        "text": text,
        "annotations": list(annotations),
        "logprobs": [],
    }


def message(*content):
    return {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": list(content),
    }


REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "first thought"}],
    "content": [{"type": "reasoning_text", "text": "deep thought"}],
    "encrypted_content": "secret",
    "status": "completed",
}

CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "f",
    "arguments": '{"a": 1}',
}

CUSTOM_CALL = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "call_id": "call_2",
    "name": "g",
    "input": "do it",
}

SEARCH = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "ravens", "queries": ["ravens"]},
}

CITATION = {
    "type": "url_citation",
    "url": "https://example.com/",
    "title": "t",
    "start_index": 0,
    "end_index": 1,
}


def strictly_valid_events(final, **options):
    """The events, each of them checked against the SDK's types."""
    events = list(events_of(final, **options))
    for event in events:
        STREAM_EVENT.validate_python(event, strict=True)
    return events


def types(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text_answer_has_all_events_in_order():
    events = strictly_valid_events(response(message(text_part("Hello, my world"))))
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_events_are_numbered_from_0():
    events = strictly_valid_events(response(message(text_part("a b c"))))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_deltas_say_where_they_belong():
    final = response(REASONING, message(text_part("one"), text_part("two")))
    *_, delta = [e for e in strictly_valid_events(final) if e["type"].endswith("text.delta")]
    assert (delta["output_index"], delta["content_index"]) == (1, 1)
    assert (delta["item_id"], delta["delta"], delta["logprobs"]) == ("msg_1", "two", [])


def test_a_response_begins_in_progress_empty_and_without_usage():
    created, in_progress, *_, completed = strictly_valid_events(response(message(text_part("a"))))
    for event in (created, in_progress):
        assert event["response"]["status"] == "in_progress"
        assert event["response"]["output"] == []
        assert event["response"]["usage"] is None
        assert event["response"]["completed_at"] is None
        assert event["response"]["id"] == "resp_1"
    assert completed["response"] == response(message(text_part("a")))


def test_items_are_announced_empty_and_in_progress():
    final = response(message(text_part("a", CITATION)), REASONING, CALL, CUSTOM_CALL, SEARCH)
    added = [e["item"] for e in strictly_valid_events(final) if e["type"].endswith("item.added")]
    assert added == [
        {**message(), "status": "in_progress"},
        REASONING
        | {"summary": [], "content": [], "encrypted_content": None, "status": "in_progress"},
        {**CALL, "arguments": "", "status": "in_progress"},
        {**CUSTOM_CALL, "input": ""},
        {**SEARCH, "status": "in_progress"},
    ]


def test_parts_are_announced_empty():
    final = response(message(text_part("a", CITATION), {"type": "refusal", "refusal": "no"}))
    added = [e["part"] for e in strictly_valid_events(final) if e["type"].endswith("part.added")]
    assert added == [text_part(""), {"type": "refusal", "refusal": ""}]


def test_done_events_carry_the_whole_items_and_parts():
    final = response(message(text_part("a b", CITATION)), CALL)
    events = strictly_valid_events(final)
    assert [e["item"] for e in events if e["type"].endswith("item.done")] == final["output"]
    assert [e["part"] for e in events if e["type"].endswith("part.done")] == [
        text_part("a b", CITATION)
    ]


def test_annotations_come_before_the_end_of_their_text():
    events = strictly_valid_events(response(message(text_part("a", CITATION))))
    place = types(events).index("output_text.annotation.added")
    assert events[place]["annotation"] == CITATION
    assert events[place]["annotation_index"] == 0
    assert types(events)[place + 1] == "output_text.done"


def test_a_reasoning_item_streams_its_summary_and_its_content():
    events = strictly_valid_events(response(REASONING))
    assert types(events)[2:-1] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]


@pytest.mark.parametrize(
    ("item", "name", "field"),
    [
        (CALL, "function_call_arguments", "arguments"),
        (CUSTOM_CALL, "custom_tool_call_input", "input"),
    ],
)
def test_a_tool_call_streams_its_argument(item, name, field):
    events = strictly_valid_events(response(item))
    assert types(events)[2:-1] == [
        "output_item.added",
        f"{name}.delta",
        f"{name}.delta",
        f"{name}.done",
        "output_item.done",
    ]
    assert events[-3][field] == item[field]


def test_a_refusal_streams_as_a_refusal():
    part = {"type": "refusal", "refusal": "No, sorry"}
    events = strictly_valid_events(response(message(part)))
    assert types(events)[4:7] == ["refusal.delta", "refusal.delta", "refusal.done"]
    assert events[6]["refusal"] == "No, sorry"


def test_an_item_of_another_type_is_added_and_done():
    events = strictly_valid_events(response(SEARCH))
    assert types(events)[2:-1] == ["output_item.added", "output_item.done"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", "response.completed"),
        ("incomplete", "response.incomplete"),
        ("failed", "response.failed"),
        ("cancelled", "response.failed"),
        (None, "response.completed"),
    ],
)
def test_the_terminal_event_follows_the_status(status, kind):
    *_, last = strictly_valid_events(response(status=status))
    assert last["type"] == kind
    assert kind in TERMINAL_EVENTS


def test_text_is_cut_as_asked():
    events = events_of(response(message(text_part("a b"))), pieces=list)
    assert [e["delta"] for e in events if "delta" in e] == ["a", " ", "b"]


@pytest.mark.parametrize("text", ["", "a", " a", "a ", " a  b\nc\u2028d ", "\n", "ä 漢字 🐦‍⬛"])
def test_words_joined_again_are_the_text(text):
    assert "".join(words(text)) == text


@pytest.mark.parametrize(
    "poor",
    [
        {},
        {"output": None},
        {"output": "text"},
        {"output": [None, "x", {}]},
        {"output": [{"type": "message"}]},
        {"output": [{"type": "message", "content": "text"}]},
        {"output": [{"type": "message", "content": [None, {}, {"type": "output_text"}]}]},
        {"output": [{"type": "reasoning", "summary": None}]},
        {"output": [{"type": "function_call", "arguments": {"a": 1}}]},
    ],
)
def test_a_poor_response_still_has_its_first_and_last_events(poor):
    events = list(events_of(poor))
    assert types(events)[:2] == ["created", "in_progress"]
    assert events[-1] == {
        "type": "response.completed",
        "response": poor,
        "sequence_number": len(events) - 1,
    }
