"""Fills in what a provider's events leave out.

An event costs one parse and one splice; its own bytes are kept.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from common.answers import Exchange, error_event, whole_times
from common.bursts import Burst, EncodedEvents, Run
from common.errors import MuninnError, ProviderInvalidAnswer
from common.nesting import is_too_deep
from common.pricing import response_cost
from common.sse import SseEvent, as_event, encode_events

_NEW_ITEM = "response.output_item.added"
# Events that are about an output item, and those of them that are about a part of its content.
_ITEM_EVENTS = (
    "response.output_item.",
    "response.content_part.",
    "response.output_text.",
    "response.refusal.",
    "response.reasoning_",
    "response.function_call_arguments.",
    "response.custom_tool_call_input.",
    "response.mcp_",
    "response.web_search_call.",
    "response.file_search_call.",
    "response.code_interpreter_call",
    "response.image_generation_call.",
)
_PART_EVENTS = ("response.content_part.", "response.output_text.", "response.refusal.")

_BRACE = ord("}")
# Names are the provider's words, and no stream has so many.
_MOST_KINDS = 64


def _end_of(index: int) -> bytes:
    return b"%d}}" % index


# Made once: in a burst each microsecond counts.
_ENDS = [_end_of(index) for index in range(1024)]


class EventCompleter:
    """Completes the events of one stream, in order."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chunk_index = 0
        self._sequence_number = 0
        self._output_index = -1
        self._item_id = ""
        # By name: the type and the members of an event in which nothing was missing.
        self._whole: dict[bytes, tuple[str, tuple[str, ...]]] = {}
        fields = {**exchange.extra_fields(), "latency": None}
        fields.pop("latency")
        self._prefix = b',"extra_fields":' + orjson.dumps(fields)[:-1] + b',"chunk_index":'

    def complete(
        self, batch: Sequence[SseEvent]
    ) -> tuple[Sequence[SseEvent], ProviderInvalidAnswer | None]:
        """The events with ``sequence_number``, ``extra_fields`` and their place in the output.

        Up to the first that is no JSON object, and what is wrong with it.
        """
        return self._burst(batch) if isinstance(batch, Burst) else self._one_by_one(batch)

    def _burst(self, burst: Burst) -> tuple[Sequence[SseEvent], ProviderInvalidAnswer | None]:
        frames: list[bytes] = []
        fault = None
        for part in burst.parts:
            encoded, fault = self._run(part) if isinstance(part, Run) else self._encoded(part)
            frames.append(encoded)
            if fault is not None:
                break
        wire = b"".join(frames)
        return EncodedEvents(wire) if wire else (), fault

    def _encoded(self, events: Iterable[SseEvent]) -> tuple[bytes, ProviderInvalidAnswer | None]:
        completed, fault = self._one_by_one(events)
        return encode_events(completed), fault

    def _run(self, run: Run) -> tuple[bytes, ProviderInvalidAnswer | None]:
        """The first event tells for all of them whether anything is missing."""
        first = run.first()
        begin, fault = self._encoded([first])
        if fault is None and self._is_whole(first, orjson.loads(first.data)):
            return begin + self._alike(run), None
        rest, fault = (b"", fault) if fault else self._encoded(run[1:])
        return begin + rest, fault

    def _alike(self, run: Run) -> bytes:
        """All but the first of a run in which nothing is missing."""
        heads = run.heads[1:]
        if not heads:
            return b""
        begin = self._chunk_index
        end = self._chunk_index = begin + len(heads)
        self._sequence_number = orjson.loads(run[-1].data)["sequence_number"] + 1
        ends = _ENDS[begin:end] if end <= len(_ENDS) else map(_end_of, range(begin, end))
        prefix = self._prefix
        data = [head + prefix + end for head, end in zip(heads, ends, strict=True)]
        return run.lead + (b"\n\n" + run.lead).join(data) + b"\n\n"

    def _one_by_one(
        self, events: Iterable[SseEvent]
    ) -> tuple[list[SseEvent], ProviderInvalidAnswer | None]:
        completed: list[SseEvent] = []
        try:
            for event in events:
                parsed = orjson.loads(event.data)
                if self._is_whole(event, parsed):
                    self._sequence_number = parsed["sequence_number"] + 1
                    data = self._with_fields(event.data[:-1])
                    completed.append(as_event((event.name, data)))
                else:
                    completed.append(self._completed(event, parsed))
        except orjson.JSONDecodeError:
            return completed, _no_object()
        except ProviderInvalidAnswer as fault:
            return completed, fault
        return completed, None

    def error_event(self, error: MuninnError) -> SseEvent:
        """The event that ends a stream which cannot go on."""
        event = error_event(error, self._sequence_number)
        return SseEvent(b"error", self._spliced(orjson.dumps(event), b""))

    def _completed(self, event: SseEvent, parsed: Any) -> SseEvent:
        if not isinstance(parsed, dict) or not parsed:
            raise _no_object()
        kind = parsed.get("type") or event.name.decode("utf-8", "replace")
        if not isinstance(kind, str):
            raise ProviderInvalidAnswer("The provider sent an event whose type is not a string.")
        missing = self._missing(kind, parsed)
        is_repaired = self._repair(parsed)
        if is_repaired and is_too_deep(event.data, parsed):
            raise _no_object()  # it is not what came that is passed on, and cannot be written
        if not missing and not is_repaired:
            self._learn(event.name, kind, parsed)
        data = orjson.dumps(parsed) if is_repaired else event.data
        additions = orjson.dumps(missing)[1:-1] if missing else b""
        return SseEvent(kind.encode(), self._spliced(data, additions))

    def _learn(self, name: bytes, kind: str, event: dict[str, Any]) -> None:
        """Most events have the same members as the last one of their kind: those with an item or
        a response, which have to be looked into, apart, and those that begin an item."""
        is_plain = "item" not in event and "response" not in event and kind != _NEW_ITEM
        if is_plain and name == kind.encode() and len(self._whole) < _MOST_KINDS:
            self._whole[name] = kind, tuple(event)

    def _is_whole(self, event: SseEvent, parsed: Any) -> bool:
        """Whether it is known that nothing is to be filled in or put right."""
        known = self._whole.get(event.name)
        return (
            known is not None
            and type(parsed) is dict
            and tuple(parsed) == known[1]
            and parsed["type"] == known[0]
            and type(parsed["sequence_number"]) is int
            and event.data[-1] == _BRACE
        )

    def _repair(self, event: dict[str, Any]) -> bool:
        """Put right what would clash with ours or with the clients' types, and add the cost of a
        finished response; whether anything was changed."""
        clashed = "extra_fields" in event
        event.pop("extra_fields", None)
        response = event.get("response")
        if not isinstance(response, dict):
            return clashed
        changes: dict[str, Any] = dict(whole_times(response))
        if (cost := response_cost(self._exchange, response)) is not None:
            changes["usage"] = {**response["usage"], "cost": cost}
        if changes:
            event["response"] = {**response, **changes}
        return clashed or bool(changes)

    def _spliced(self, data: bytes, additions: bytes) -> bytes:
        head = data[: data.rindex(b"}")]
        return self._with_fields(b"%b,%b" % (head, additions) if additions else head)

    def _with_fields(self, head: bytes) -> bytes:
        """An object that lacks its last brace, with what we add to each."""
        index = self._chunk_index
        self._chunk_index = index + 1
        return head + self._prefix + (_ENDS[index] if index < len(_ENDS) else _end_of(index))

    def _missing(self, kind: str, event: dict[str, Any]) -> dict[str, Any]:
        missing: dict[str, Any] = {}
        if "type" not in event:
            missing["type"] = kind
        number = event.get("sequence_number")
        if not isinstance(number, int):
            number = missing["sequence_number"] = self._sequence_number
        self._sequence_number = number + 1
        if kind.startswith(_ITEM_EVENTS):
            self._place(kind, event, missing)
        return missing

    def _place(self, kind: str, event: dict[str, Any], missing: dict[str, Any]) -> None:
        """Fill in the item that an event is about: the one that was added last."""
        item = event.get("item")
        if kind == _NEW_ITEM:
            self._output_index += 1
            self._item_id = str(item.get("id", "")) if isinstance(item, dict) else ""
        if "output_index" not in event:
            missing["output_index"] = max(self._output_index, 0)
        if item is None and "item_id" not in event:
            missing["item_id"] = self._item_id
        if kind.startswith(_PART_EVENTS) and "content_index" not in event:
            missing["content_index"] = 0


def _no_object() -> ProviderInvalidAnswer:
    return ProviderInvalidAnswer("The provider sent an event that is not a JSON object.")
