"""The events of the Responses protocol: derived from a whole response, and gathered into one.

Order and shapes follow https://platform.openai.com/docs/api-reference/responses-streaming. Both
ways take what servers really answer: a field that is missing makes an event poorer, not an error.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from common.errors import ProviderAnsweredError, ProviderInvalidAnswer

Event = dict[str, Any]
Pieces = Callable[[str], Iterable[str]]

TERMINAL_EVENTS = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "error"}
)

# The terminal event by the response's status; there is none for a cancelled response.
_TERMINAL_OF_STATUS = {
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",
}

_UNFINISHED: Event = {
    "status": "in_progress",
    "output": [],
    "usage": None,
    "error": None,
    "incomplete_details": None,
    "completed_at": None,
}

# The fields of an item that its stream fills, as they are when the item is announced.
_EMPTY_ITEM_FIELDS: dict[str, Event] = {
    "message": {"content": []},
    "reasoning": {"summary": [], "content": [], "encrypted_content": None},
    "function_call": {"arguments": ""},
    "custom_tool_call": {"input": ""},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "image_generation_call": {"result": None},
}

# Items whose one text streams by itself: the field, and its events' common name.
_ITEM_TEXTS = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
}

# Parts whose text streams: the field, its events' common name, and what these must also carry.
_PART_TEXTS: dict[str, tuple[str, str, Event]] = {
    "output_text": ("text", "response.output_text", {"logprobs": []}),
    "refusal": ("refusal", "response.refusal", {}),
    "reasoning_text": ("text", "response.reasoning_text", {}),
    "summary_text": ("text", "response.reasoning_summary_text", {}),
}

# OpenAI's codes for what a repeated call would not mend begin so.
_CALLERS_FAULTS = ("invalid_", "image_", "unsupported_", "empty_image")

_WORD = re.compile(r"\s*\S+|\s+")


def words(text: str) -> list[str]:
    """The text cut in front of the spaces before each word; joined again it is the same text."""
    return _WORD.findall(text)


def events_of(response: Mapping[str, Any], pieces: Pieces = words) -> Iterator[Event]:
    """All events that a stream ending in ``response`` has, in order, numbered from 0.

    ``pieces`` cuts each text into the deltas it is sent in.
    """
    for number, event in enumerate(_events_of_response(response, pieces)):
        event["sequence_number"] = number
        yield event


def response_of(events: Iterable[Event]) -> dict[str, Any]:
    """The final response of a stream.

    Some servers leave ``output`` empty in their last event: it is then filled with the items that
    were streamed. Raises ProviderAnsweredError for an ``error`` event, ProviderInvalidAnswer when
    the stream ends without a terminal event or that event has no response.
    """
    items: list[Any] = []
    for event in events:
        kind = event.get("type")
        if kind == "response.output_item.done":
            items.append(event.get("item"))
        elif kind == "error":
            raise error_of(event)
        elif kind in TERMINAL_EVENTS:
            return _response_in(event, items)
    raise ProviderInvalidAnswer("The provider's stream ended before its terminal event.")


def error_of(event: Event) -> ProviderAnsweredError:
    """The failure that an ``error`` event speaks of, with its fields at the top or in ``error``."""
    inner = event.get("error")
    error: Event = inner if isinstance(inner, dict) else event
    code = error.get("code")
    kind = error.get("type")
    return ProviderAnsweredError(
        _status_of(event, code, kind),
        str(error.get("message") or "The provider's stream ended with an error."),
        type=str(kind) if kind and kind != "error" else None,
        code=None if code is None else str(code),
        param=error.get("param"),
        raw=event,
    )


def _status_of(event: Event, code: Any, kind: Any) -> int:
    status = event.get("status")
    if isinstance(status, int) and 400 <= status <= 599:
        return status
    if code == "rate_limit_exceeded":
        return 429
    is_callers = kind == "invalid_request_error" or str(code).startswith(_CALLERS_FAULTS)
    return 400 if is_callers else 502


def _response_in(event: Event, items: list[Any]) -> dict[str, Any]:
    response = event.get("response")
    if not isinstance(response, dict):
        raise ProviderInvalidAnswer("The provider's terminal event has no response.")
    return response if response.get("output") else {**response, "output": items}


def _events_of_response(response: Mapping[str, Any], pieces: Pieces) -> Iterator[Event]:
    unfinished = {**response, **_UNFINISHED, "output": []}
    yield {"type": "response.created", "response": unfinished}
    yield {"type": "response.in_progress", "response": dict(unfinished)}
    for index, item in enumerate(_objects(response.get("output"))):
        yield from _events_of_item(item, index, pieces)
    kind = _TERMINAL_OF_STATUS.get(str(response.get("status")), "response.completed")
    yield {"type": kind, "response": dict(response)}


def _events_of_item(item: Event, index: int, pieces: Pieces) -> Iterator[Event]:
    place = {"item_id": item.get("id") or f"item_{index}", "output_index": index}
    yield {
        "type": "response.output_item.added",
        "output_index": index,
        "item": _as_announced(item),
    }
    kind = item.get("type")
    if kind == "reasoning":
        yield from _events_of_parts(item.get("summary"), "summary_index", place, pieces)
    if kind in ("message", "reasoning"):
        yield from _events_of_parts(item.get("content"), "content_index", place, pieces)
    elif kind in _ITEM_TEXTS:
        field, name = _ITEM_TEXTS[kind]
        yield from _events_of_text(item.get(field), field, name, place, pieces)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _as_announced(item: Event) -> Event:
    """The item as it is before its stream: in progress and empty, with the fields it has."""
    empty = {"status": "in_progress", **_EMPTY_ITEM_FIELDS.get(str(item.get("type")), {})}
    return {**item, **{field: value for field, value in empty.items() if field in item}}


def _events_of_parts(parts: Any, index_name: str, place: Event, pieces: Pieces) -> Iterator[Event]:
    """The events of a message's or reasoning's ``content``, or of a reasoning's ``summary``."""
    name = "content_part" if index_name == "content_index" else "reasoning_summary_part"
    for index, part in enumerate(_objects(parts)):
        part_place = {**place, index_name: index}
        field, texts, also = _PART_TEXTS.get(str(part.get("type")), ("", "", {}))
        empty = {field: "", "annotations": [], "logprobs": []}
        announced = {key: empty.get(key, value) for key, value in part.items()}
        yield {"type": f"response.{name}.added", **part_place, "part": announced}
        if texts:
            ends = _annotations_of(part, part_place)
            more = {**part_place, **also}
            yield from _events_of_text(part.get(field), field, texts, more, pieces, ends)
        yield {"type": f"response.{name}.done", **part_place, "part": part}


def _annotations_of(part: Event, place: Event) -> Iterator[Event]:
    for index, annotation in enumerate(_objects(part.get("annotations"))):
        yield {
            "type": "response.output_text.annotation.added",
            **place,
            "annotation_index": index,
            "annotation": annotation,
        }


def _events_of_text(
    text: Any,
    field: str,
    name: str,
    place: Event,
    pieces: Pieces,
    before_done: Iterable[Event] = (),
) -> Iterator[Event]:
    text = text if isinstance(text, str) else ""
    delta = f"{name}.delta"
    for piece in pieces(text):
        yield {"type": delta, **place, "delta": piece}
    yield from before_done
    yield {"type": f"{name}.done", **place, field: text}


def _objects(values: Any) -> list[Event]:
    """The JSON objects of a list; nothing when it is no list."""
    return (
        [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
    )
