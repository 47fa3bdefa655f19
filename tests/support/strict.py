"""Answers and events checked strictly against two sets of types, made by others."""

import inspect
import json
from collections.abc import Iterable
from typing import Any

import openresponses_types
from openai.types.responses import Response, ResponseStreamEvent
from openresponses_types import ResponseResource
from pydantic import BaseModel, TypeAdapter

from common.providers.events import TERMINAL_EVENTS
from common.sse import SseEvent

_RESPONSE: TypeAdapter[Response] = TypeAdapter(Response)
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def _event_types() -> dict[str, type[BaseModel]]:
    models = [model for _, model in inspect.getmembers(openresponses_types, inspect.isclass)]
    return {
        next(iter(model.model_fields["type"].annotation)).value: model
        for model in models
        if model.__name__.endswith("StreamingEvent")
    }


_OPEN_EVENTS = _event_types()


def check_response(raw: bytes | str) -> dict[str, Any]:
    """The response parsed, after both sets of types have taken it in strict mode."""
    value: dict[str, Any] = json.loads(raw)
    if value["error"]:
        # OpenAI lists the codes of its own failures; a gateway has others besides.
        assert isinstance(value["error"]["code"], str)
        listed = {**value["error"], "code": "server_error"}
        raw = json.dumps({**value, "error": listed})
    _RESPONSE.validate_json(raw, strict=True)
    ResponseResource.model_validate_json(json.dumps(_known(value)), strict=True)
    return value


def check_event(event: SseEvent) -> dict[str, Any]:
    """The data of one event parsed, after both sets of types have taken it in strict mode."""
    _EVENT.validate_json(event.data, strict=True)
    value: dict[str, Any] = json.loads(event.data)
    assert value["type"].encode() == event.name
    known = {**value, "response": _known(value["response"])} if "response" in value else value
    if value["type"] == "error" and "error" not in value:
        return value  # OpenAI has the fields at the top, Open Responses within `error`
    _OPEN_EVENTS[value["type"]].model_validate_json(json.dumps(known), strict=True)
    return value


def check_stream(events: Iterable[SseEvent]) -> list[dict[str, Any]]:
    """All events parsed: valid, in order, numbered without a gap, one terminal event last."""
    values = [check_event(event) for event in events]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    chunks = [value["extra_fields"]["chunk_index"] for value in values]
    assert chunks == list(range(len(values)))
    assert [value["type"] in TERMINAL_EVENTS for value in values].index(True) == len(values) - 1
    return values


def _known(response: dict[str, Any]) -> dict[str, Any]:
    """Open Responses' types know null alone as the schema of a text format."""
    known: dict[str, Any] = json.loads(json.dumps(response))
    if (known.get("text") or {}).get("format", {}).get("type") == "json_schema":
        known["text"]["format"]["schema"] = None
    return known
