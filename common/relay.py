"""Relays a provider's events to a caller: completes them, and says so when they break off.

An event costs one parse and one splice; its own bytes are kept.
"""

import logging
from collections.abc import Iterator
from typing import Any

import orjson

from common.answers import Answer, Exchange, decorate, error_event, whole_times
from common.errors import CallAborted, InternalError, MuninnError, ProviderInvalidAnswer
from common.pricing import response_cost
from common.providers.base import ProviderStream
from common.providers.events import TERMINAL_EVENTS
from common.sse import SseEvent

log = logging.getLogger(__name__)

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


class EventCompleter:
    """Fills in what a provider's events leave out. One for each stream."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._chunk_index = 0
        self._sequence_number = 0
        self._output_index = -1
        self._item_id = ""
        fields = {**exchange.extra_fields(), "latency": None}
        fields.pop("latency")
        self._prefix = b',"extra_fields":' + orjson.dumps(fields)[:-1]

    def complete(self, event: SseEvent) -> SseEvent:
        """The event with ``sequence_number``, ``extra_fields`` and its place in the output.

        Raises ProviderInvalidAnswer for data that is no JSON object.
        """
        parsed = _parse(event.data)
        kind = parsed.get("type") or event.name.decode("utf-8", "replace")
        missing = self._missing(kind, parsed)
        data = orjson.dumps(parsed) if self._repair(parsed) else event.data
        additions = orjson.dumps(missing)[1:-1] if missing else b""
        return SseEvent(kind.encode(), self._spliced(data, additions))

    def _repair(self, event: dict[str, Any]) -> bool:
        """Put right what would clash with ours or with the clients' types, and add the cost of a
        finished response; whether anything was changed."""
        clashed = event.pop("extra_fields", None) is not None
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
        index, self._chunk_index = self._chunk_index, self._chunk_index + 1
        comma = b"," if additions else b""
        head = data[: data.rindex(b"}")]
        return b'%b%b%b%b,"chunk_index":%d}}' % (head, comma, additions, self._prefix, index)

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
        if kind == "response.output_item.added":
            self._output_index += 1
            self._item_id = str(item.get("id", "")) if isinstance(item, dict) else ""
        if "output_index" not in event:
            missing["output_index"] = max(self._output_index, 0)
        if item is None and "item_id" not in event:
            missing["item_id"] = self._item_id
        if kind.startswith(_PART_EVENTS) and "content_index" not in event:
            missing["content_index"] = 0

    def error_event(self, error: MuninnError) -> SseEvent:
        """The event that ends a stream which cannot go on."""
        event = error_event(error, self._sequence_number)
        return SseEvent(b"error", self._spliced(orjson.dumps(event), b""))


def _parse(data: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict) or not parsed:
        raise ProviderInvalidAnswer("The provider sent an event that is not a JSON object.")
    return parsed


class RelayedStream:
    """A provider's stream, completed; ``None`` stands for a silence.

    Never raises while iterating: what breaks the stream becomes its last event. Closing it closes
    the upstream call.
    """

    def __init__(self, stream: ProviderStream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange
        self._completer = EventCompleter(exchange)
        self.headers = stream.headers

    def __iter__(self) -> Iterator[SseEvent | None]:
        try:
            yield from self.events()
        except CallAborted:
            return
        except MuninnError as error:
            yield self._completer.error_event(error)
        except Exception:
            log.exception("relaying a stream failed")
            yield self._completer.error_event(InternalError("The gateway failed."))
        finally:
            self.close()

    @property
    def has_more_at_hand(self) -> bool:
        """See ProviderStream."""
        return self._stream.has_more_at_hand

    def events(self) -> Iterator[SseEvent | None]:
        """The same, raising MuninnError for what breaks the stream. Does not close it."""
        for event in self._stream:
            if event is None:
                yield None
                continue
            completed = self._completer.complete(event)
            yield completed
            if completed.name.decode() in TERMINAL_EVENTS:
                return

    def answer(self, response: dict[str, Any]) -> Answer:
        """The final response of this stream as the answer of a call that was not streamed."""
        extra_fields = self._exchange.extra_fields()
        cost = response_cost(self._exchange, response)
        body = decorate(response, orjson.dumps(response), extra_fields, cost)
        return Answer(body, self.headers, response)

    def close(self) -> None:
        self._stream.close()
