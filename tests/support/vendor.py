"""What a good server says, for tests to bend, and calls that reach the providers of conftest."""

from collections.abc import Mapping
from typing import Any

import requests

from common.sse import SseEvent
from tests.support.calling import events_of_text, post

PART = {"type": "output_text", "text": "Hi you", "annotations": [], "logprobs": []}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [PART],
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "completed_at": 1_700_000_001,
    "status": "completed",
    "model": "m-2026",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
    "error": None,
}
TINY = {"id": "resp_1", "output": []}


def events() -> list[dict[str, Any]]:
    """The events of a small stream, as the better servers send them."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    announced = {**MESSAGE, "status": "in_progress", "content": []}
    empty = {**PART, "text": ""}
    kinds = [
        ("created", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": announced}),
        ("content_part.added", {**place, "part": empty}),
        ("output_text.delta", {**place, "delta": "Hi", "logprobs": []}),
        ("output_text.delta", {**place, "delta": " you", "logprobs": []}),
        ("output_text.done", {**place, "text": "Hi you", "logprobs": []}),
        ("content_part.done", {**place, "part": PART}),
        ("output_item.done", {"output_index": 0, "item": MESSAGE}),
        ("completed", {"response": RESPONSE}),
    ]
    return [
        {"type": f"response.{kind}", "sequence_number": number, **fields}
        for number, (kind, fields) in enumerate(kinds)
    ]


def without(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in names}


def ask(base_url: str, model: str = "upstream/m", **fields: Any) -> requests.Response:
    return post(base_url, {"model": model, "input": "x", **fields})


def streamed(base_url: str, model: str = "upstream/m") -> list[SseEvent]:
    reply = ask(base_url, model, stream=True)
    assert reply.status_code == 200, reply.text
    return events_of_text(reply.content)


def full_parameters() -> dict[str, Any]:
    """What strict types want of a response beside the fields of RESPONSE."""
    return {
        "background": False,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
