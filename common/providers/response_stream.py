"""A provider's event stream, brought into the one form that the rest of Muninn knows."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from common.errors import ProviderInvalidAnswer
from common.providers.events import TERMINAL_EVENTS, events_of
from common.providers.exchange import Exchange
from common.providers.faults import fault_of
from common.providers.masking import Mask
from common.sse import SseDecoder, SseEvent

_TERMINAL = frozenset(name.encode() for name in TERMINAL_EVENTS)
_MAY_TELL_A_SECRET = frozenset({b"error", b"response.failed"})
_UNNAMED = frozenset({b"", b"message"})
_DONE = b"[DONE]"
_LAST_BYTES_SECONDS = 0.05


class LiveStream:
    """Events as they arrive; see ProviderStream. It may be iterated once."""

    has_more_at_hand = False

    def __init__(
        self,
        exchange: Exchange,
        headers: dict[str, str],
        mask: Mask,
        *,
        max_event_bytes: int,
        silence_seconds: float | None,
    ) -> None:
        self.headers = headers
        self._exchange = exchange
        self._mask = mask
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)
        self._silence_seconds = silence_seconds
        self._ended = False

    def __iter__(self) -> Iterator[SseEvent | None]:
        try:
            for event in self._events():
                self._ended = event is not None and event.name in _TERMINAL
                yield event
                if self._ended:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """End the upstream call; after the terminal event its connection may be kept."""
        if self._ended:
            self._exchange.finish(_LAST_BYTES_SECONDS)
        else:
            self._exchange.close()

    def _events(self) -> Iterator[SseEvent | None]:
        """All events, and a None whenever none has come for ``silence_seconds``.

        Comments of the provider are no events: they must not keep the None from the reader.
        """
        wait_seconds = self._silence_seconds
        since = time.monotonic()
        while True:
            came = False
            for event in self._next_events(wait_seconds):
                came = True
                yield event
            wait_seconds = self._silence_seconds
            if wait_seconds is None:
                continue
            silent_seconds = 0.0 if came else time.monotonic() - since
            if silent_seconds >= wait_seconds:
                yield None
                silent_seconds = 0.0
            if not silent_seconds:
                since = time.monotonic()
            wait_seconds = max(wait_seconds - silent_seconds, 0.001)

    def _next_events(self, wait_seconds: float | None) -> Iterable[SseEvent]:
        data = self._exchange.read_some(wait_seconds)
        if data is None:
            return ()
        return self._decode(data) if data else [self._forgotten_end()]

    def _decode(self, data: bytes) -> Iterator[SseEvent]:
        try:
            decoded = self._decoder.feed(data)
        except ValueError:
            raise ProviderInvalidAnswer("An event of the provider's stream is too long.") from None
        events, fault = _sound(decoded, self._mask)
        for still_to_come, event in zip(range(len(events) - 1, -1, -1), events, strict=True):
            self.has_more_at_hand = still_to_come > 0
            yield event
        if fault is not None:
            raise fault

    def _forgotten_end(self) -> SseEvent:
        """The terminal event of a server that forgets the blank line after it."""
        try:
            for event in self._decode(b"\n\n"):
                if event.name in _TERMINAL:
                    return event
        except ProviderInvalidAnswer:
            pass  # half an event
        raise ProviderInvalidAnswer("The provider cut its stream off before the end.")


class DerivedStream:
    """The events of a response that came whole although a stream was asked for."""

    has_more_at_hand = True

    def __init__(self, response: dict[str, Any], headers: dict[str, str]) -> None:
        self.headers = headers
        self.response = response

    def __iter__(self) -> Iterator[SseEvent | None]:
        for event in events_of(self.response):
            yield SseEvent(event["type"].encode(), orjson.dumps(event))

    def close(self) -> None:
        """There is nothing left to close."""


def _sound(
    decoded: Iterable[SseEvent], mask: Mask
) -> tuple[list[SseEvent], ProviderInvalidAnswer | None]:
    """The events up to the first that is none, and what is wrong with that one."""
    events: list[SseEvent] = []
    try:
        for each in decoded:
            if event := normalised(each, mask):
                events.append(event)
    except ProviderInvalidAnswer as fault:
        return events, fault
    return events, None


def normalised(event: SseEvent, mask: Mask) -> SseEvent | None:
    """The event with its name, which some servers leave out; None for one without meaning.

    Raises ProviderInvalidAnswer for data that is no JSON object or has no type.
    """
    name, data = event
    if data == _DONE or not data:
        return None
    if name in _UNNAMED:
        name = _type_in(data)
    elif not data.startswith(b"{"):
        raise _no_event()
    if name in _MAY_TELL_A_SECRET:
        data = orjson.dumps(mask.value(object_in(data)))
    if name == b"error":
        data = _flat_error(data)
    elif name in _TERMINAL:
        object_in(data)  # half a terminal event must not pass for a whole stream
    return SseEvent(name, data)


def _type_in(data: bytes) -> bytes:
    value = object_in(data)
    kind = value.get("type")
    if isinstance(kind, str) and kind:
        return kind.encode()
    if value.get("error"):
        return b"error"
    raise _no_event()


def _flat_error(data: bytes) -> bytes:
    """An ``error`` event with its fields at the top, where OpenAI's schema has them."""
    value = object_in(data)
    if "error" not in value:
        return data
    fault = fault_of(value)
    flat = {name: each for name, each in value.items() if name != "error"}
    flat["type"] = "error"
    flat["code"] = (fault.code or fault.type) if fault else None
    flat["message"] = fault.message if fault else "The provider's stream ended with an error."
    flat["param"] = fault.param if fault else None
    return orjson.dumps(flat)


def object_in(data: bytes) -> dict[str, Any]:
    """The JSON object that an event's data is; raises ProviderInvalidAnswer if it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise _no_event() from None
    if not isinstance(value, dict):
        raise _no_event()
    return value


def _no_event() -> ProviderInvalidAnswer:
    return ProviderInvalidAnswer("The provider's stream holds something that is no event.")
