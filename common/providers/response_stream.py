"""A provider's event stream, brought into the one form that the rest of Muninn knows."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from common.bursts import Burst, Run, in_parts
from common.errors import ProviderInvalidAnswer
from common.nesting import loads_shallow
from common.providers.base import Batch
from common.providers.events import TERMINAL_EVENTS, events_of
from common.providers.exchange import Exchange
from common.providers.faults import fault_of
from common.providers.masking import Mask
from common.sse import SseDecoder, SseEvent

_TERMINAL = frozenset(name.encode() for name in TERMINAL_EVENTS)
_MAY_TELL_A_SECRET = frozenset({b"error", b"response.failed"})
_UNNAMED = frozenset({b"", b"message"})
_SPECIAL = _TERMINAL | _MAY_TELL_A_SECRET | _UNNAMED
_DONE = b"[DONE]"
_LAST_BYTES_SECONDS = 0.05
_DERIVED_TOGETHER = 64


class LiveStream:
    """Events as they arrive; see ProviderStream. It may be iterated once."""

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
        exchange.expect_events()
        self._mask = mask
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)
        self._silence_seconds = silence_seconds
        self._fault: ProviderInvalidAnswer | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Batch]:
        try:
            for batch in self._batches():
                self._ended = _is_over(batch)
                yield batch
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

    def _batches(self) -> Iterator[Batch]:
        """All events, and an empty batch whenever none has come for ``silence_seconds``.

        Comments of the provider are no events: they must not keep that from the reader.
        """
        wait_seconds = self._silence_seconds
        since = time.monotonic()
        while True:
            batch = self._next_batch(wait_seconds)
            if batch:
                yield batch
            wait_seconds = self._silence_seconds
            if wait_seconds is None:
                continue
            silent_seconds = 0.0 if batch else time.monotonic() - since
            if silent_seconds >= wait_seconds:
                yield ()
                silent_seconds = 0.0
            if not silent_seconds:
                since = time.monotonic()
            wait_seconds = max(wait_seconds - silent_seconds, 0.001)

    def _next_batch(self, wait_seconds: float | None) -> Batch:
        if self._fault is not None:
            raise self._fault
        data = self._exchange.read_some(wait_seconds)
        if data is None:
            return ()
        return self._decode(data) if data else self._forgotten_end()

    def _decode(self, data: bytes) -> Batch:
        """The events that these bytes complete; what is wrong after them is raised next time."""
        try:
            parts = in_parts(self._decoder.feed_frames(data))
        except ValueError:
            raise ProviderInvalidAnswer("An event of the provider's stream is too long.") from None
        batch, self._fault = _sound_parts(parts, self._mask)
        return batch

    def _forgotten_end(self) -> Batch:
        """The terminal event of a server that forgets the blank line after it."""
        events = self._decode(b"\n\n")  # a fault in it: half an event
        if not _is_over(events):
            raise ProviderInvalidAnswer("The provider cut its stream off before the end.")
        return events


class DerivedStream:
    """The events of a response that came whole although a stream was asked for."""

    def __init__(self, response: dict[str, Any], headers: dict[str, str]) -> None:
        self.headers = headers
        self.response = response

    def __iter__(self) -> Iterator[Batch]:
        events = encoded_events(self.response)
        while batch := list(islice(events, _DERIVED_TOGETHER)):
            yield batch

    def close(self) -> None:
        """There is nothing left to close."""


def encoded_events(response: dict[str, Any]) -> Iterator[SseEvent]:
    """All events of a stream that ends in this response."""
    for event in events_of(response):
        yield SseEvent(event["type"].encode(), orjson.dumps(event))


def _sound_parts(parts: Sequence[Batch], mask: Mask) -> tuple[Batch, ProviderInvalidAnswer | None]:
    """See ``_sound``; what is in a run is known to be."""
    if len(parts) == 1 and not isinstance(parts[0], Run):
        return _sound(parts[0], mask)
    found: list[Batch] = []
    for part in parts:
        if isinstance(part, Run):
            found.append(part)
            continue
        events, fault = _sound(part, mask)
        found += [events] if events else []
        if fault is not None or _is_over(events):
            return Burst(found) if found else (), fault
    return Burst(found) if found else (), None


def _is_over(batch: Batch) -> bool:
    return bool(batch) and batch[-1].name in _TERMINAL


def _sound(
    decoded: Iterable[SseEvent], mask: Mask
) -> tuple[list[SseEvent], ProviderInvalidAnswer | None]:
    """The events up to the terminal one, or the first that is none and what is wrong with it."""
    events: list[SseEvent] = []
    try:
        for event in decoded:
            if event.name not in _SPECIAL and event.data.startswith(b"{"):
                events.append(event)
            elif found := normalised(event, mask):
                events.append(found)
                if found.name in _TERMINAL:
                    break
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
        value = loads_shallow(data)
    except ValueError:
        raise _no_event() from None
    if not isinstance(value, dict):
        raise _no_event()
    return value


def _no_event() -> ProviderInvalidAnswer:
    return ProviderInvalidAnswer("The provider's stream holds something that is no event.")
