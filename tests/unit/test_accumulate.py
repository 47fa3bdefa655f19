"""The output of a response that is still being streamed."""

import pytest

from common.accumulate import OutputSoFar
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from common.providers.events import events_of
from tests.support.vendor import MESSAGE, PART, events

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def output_after(*given):
    so_far = OutputSoFar()
    for event in given:
        so_far.add(event)
    return so_far.output


def without_status(value):
    """Items without what says how far they are."""
    if isinstance(value, dict):
        return {k: without_status(v) for k, v in value.items() if k not in ("status", "summary")}
    return [without_status(each) for each in value] if isinstance(value, list) else value


def test_a_text_grows_with_its_deltas():
    first, *others = events()
    texts = []
    so_far = OutputSoFar()
    for event in (first, *others):
        so_far.add(event)
        content = so_far.output[0]["content"] if so_far.output else []
        texts.append(content[0]["text"] if content else None)
    assert texts == [None, None, "", "Hi", "Hi you", "Hi you", "Hi you", "Hi you", "Hi you"]
    assert so_far.output == [MESSAGE]


@pytest.mark.parametrize(
    "model", ["hello", "function-call", "reasoning", "structured", "refusal", "size-3kb"]
)
def test_the_events_before_the_items_end_tell_all_of_their_texts(model):
    asked = ProviderRequest(model, {"model": model, "input": "a b c", "tools": [TOOL]})
    answer = EchoProvider().create(asked, UpstreamCall()).body
    given = list(events_of(answer))
    assert output_after(*given) == answer["output"]
    unfinished = [e for e in given if not e["type"].endswith((".done", ".completed"))]
    assert without_status(output_after(*unfinished)) == without_status(answer["output"])


def test_items_stand_in_the_order_they_came_also_when_numbers_are_missing():
    added = [
        {"type": "response.output_item.added", "output_index": index, "item": {"id": str(index)}}
        for index in (0, 3, 7)
    ]
    done = {"type": "response.output_item.done", "output_index": 3, "item": {"id": "3 done"}}
    assert [item["id"] for item in output_after(*added, done)] == ["0", "3 done", "7"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"type": None},
        {"type": "response.output_text.delta"},
        {"type": "response.output_text.delta", "output_index": [], "delta": "x"},
        {"type": "response.output_text.delta", "output_index": 9, "delta": "x"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 9},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": "0"},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": 5},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": -1},
        {"type": "response.function_call_arguments.delta", "output_index": 5, "delta": "x"},
        {"type": "response.output_item.added", "output_index": "0", "item": {}},
        {"type": "response.output_item.added", "output_index": 0, "item": "x"},
        {"type": "response.content_part.added", "output_index": 0, "part": "x"},
        {"type": "response.reasoning_summary_part.added", "output_index": 8, "part": {}},
        {"type": "response.of_tomorrow", "output_index": 0},
    ],
)
def test_what_does_not_fit_is_left_out(odd):
    known = events()[1:5]
    assert output_after(*known, odd)[0]["content"] == [{**PART, "text": "Hi you"}]


@pytest.mark.parametrize("content", [["text alone"], "no list", [{"text": 5}], None])
def test_content_of_another_shape_is_survived(content):
    item = {"type": "message", "content": content}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    delta = {
        "type": "response.output_text.delta",
        "output_index": 0,
        "content_index": 0,
        "delta": "x",
    }
    assert len(output_after(added, delta)) == 1


def test_what_is_gathered_does_not_change_the_events():
    given = events()
    output_after(*given)
    assert given == events()
