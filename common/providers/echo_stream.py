"""The echo provider's streams: the events of an answer, paced as the script asks."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from common.errors import ProviderInvalidAnswer, ProviderTimeout
from common.providers.base import Batch, UpstreamCall
from common.providers.echo_script import Scripted
from common.providers.events import Event, events_of, words
from common.sse import SseEvent

# A script that hangs ends all the same, should nobody abort it.
HANG_SECONDS = 3600.0

_SIZED_PIECE = 1024


class EchoStream:
    """A stream of events already decided on; None among them stands for silence."""

    def __init__(
        self, events: Iterable[Event | None], call: UpstreamCall, headers: dict[str, str]
    ) -> None:
        self.headers = headers
        self._events = iter(events)
        self._call = call
        self._closed = False

    def __iter__(self) -> Iterator[Batch]:
        for event in self._events:
            if self._closed:
                return
            self._call.check()
            yield () if event is None else (_encoded(event),)

    def close(self) -> None:
        """Nothing is held open; iterating merely ends."""
        self._closed = True


def paced_events(
    script: Scripted, response: dict[str, Any], call: UpstreamCall
) -> Iterator[Event | None]:
    """The events that end in ``response``, as the script lets them come."""
    events = events_of(response, _slices if script.name == "size" else words)
    if script.name == "slow":
        return _spread(list(events), script.number, call)
    if script.name == "cut-stream":
        return _cut(list(events))
    return events


def silence(call: UpstreamCall) -> Iterator[None]:
    """Silence until the call is aborted, or ProviderTimeout after a very long time."""
    yield from _pause(HANG_SECONDS, call)
    raise ProviderTimeout("The echo provider was asked never to answer.")


def cut_off() -> ProviderInvalidAnswer:
    """The failure of an answer that stops in its middle."""
    return ProviderInvalidAnswer("The echo provider was asked to stop in its answer.")


def _spread(
    events: list[Event], duration_seconds: float, call: UpstreamCall
) -> Iterator[Event | None]:
    """Each delta at its own time, the last one at the end of the duration."""
    started_at = time.monotonic()
    deltas = sum(map(_is_delta, events))
    sent = 0
    for event in events:
        if _is_delta(event):
            sent += 1
            due_at = started_at + duration_seconds * sent / deltas
            yield from _pause(due_at - time.monotonic(), call)
        yield event


def _cut(events: list[Event]) -> Iterator[Event]:
    """The first half of the deltas, at least one, and what stands before them."""
    places = [place for place, event in enumerate(events) if _is_delta(event)]
    yield from events[: places[len(places) // 2] + 1]
    raise cut_off()


def _pause(seconds: float, call: UpstreamCall) -> Iterator[None]:
    """Wait, with a None for each full ``silence_seconds`` of it."""
    while seconds > call.silence_seconds:
        call.sleep(call.silence_seconds)
        yield None
        seconds -= call.silence_seconds
    if seconds > 0:
        call.sleep(seconds)


def _is_delta(event: Event) -> bool:
    return str(event["type"]).endswith(".delta")


def _slices(text: str) -> list[str]:
    return [text[start : start + _SIZED_PIECE] for start in range(0, len(text), _SIZED_PIECE)]


def _encoded(event: Event) -> SseEvent:
    return SseEvent(event["type"].encode(), orjson.dumps(event))
