"""Events that came together, most of them alike, and are handled at once.

Word after word of a text comes as an event that differs from the one before in its values alone.
Where many of them come together, looking at each costs more than all else that is done for a
stream. So a run of them stays as it stands on the wire: one regular expression makes sure that each
is the first one, byte for byte, but for values of the same kinds that are sound JSON.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from common.sse import SseEvent, encode_events, events_of

# A shorter run, or one in so few bytes, is as quickly taken apart.
_FEWEST = 8
_FEWEST_BYTES = 2048
# So many runs are looked for, for what is none costs as well.
_TRIES = 3

_STRING = (
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    rb'|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})[^"\\\x00-\x1f]*+)*+"'
)
# Not so large that it would not be read as an integer.
_NUMBER = rb"(?:0|[1-9][0-9]{0,14}+)(?![0-9.eE])"
# The members whose values differ between the events of a run.
_VARYING = {b"sequence_number": _NUMBER, b"delta": _STRING, b"obfuscation": _STRING}
# A quotation mark in a text is written with a backslash before it: so these are names of members.
_NAME = re.compile(rb'"(%b)":' % b"|".join(_VARYING))
_FIRST = re.compile(rb"event: (response\.[a-z_.]+\.delta)\n(data: \{[^\n]*\}\n\n)")
_MOST_VARYING = 4
_END = b"}\n\n"


class _Together(Sequence[SseEvent]):
    """Events, at least one, that are taken apart when more than the last is looked at."""

    @abstractmethod
    def _apart(self) -> list[SseEvent]: ...

    @abstractmethod
    def _last(self) -> SseEvent: ...

    @cached_property
    def _events(self) -> list[SseEvent]:
        return self._apart()

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[SseEvent]:
        return iter(self._events)

    def __getitem__(self, index: Any) -> Any:
        return self._last() if index == -1 else self._events[index]


class Run(_Together):
    """Events of one name that all have the same members."""

    def __init__(self, name: bytes, wire: bytes) -> None:
        self.name = name
        # What stands before the data of each; and the data of each but for its last brace.
        self.lead = b"event: %b\ndata: " % name
        self.heads = wire[len(self.lead) : -len(_END)].split(_END + self.lead)

    def first(self) -> SseEvent:
        """The first one, the others left as they are."""
        return SseEvent(self.name, self.heads[0] + b"}")

    def _apart(self) -> list[SseEvent]:
        return [SseEvent(self.name, head + b"}") for head in self.heads]

    def _last(self) -> SseEvent:
        return SseEvent(self.name, self.heads[-1] + b"}")


class Burst(_Together):
    """Runs, and lists of the events between them."""

    def __init__(self, parts: Sequence[Sequence[SseEvent]]) -> None:
        self.parts = parts

    def _apart(self) -> list[SseEvent]:
        return list(chain.from_iterable(self.parts))

    def _last(self) -> SseEvent:
        return self.parts[-1][-1]


class EncodedEvents(_Together):
    """Named events as they go to a client."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire

    def _apart(self) -> list[SseEvent]:
        return events_of(self.wire)

    def _last(self) -> SseEvent:
        end_of_others = self.wire.rfind(b"\n\n", 0, -2)
        return events_of(self.wire[end_of_others + 2 if end_of_others >= 0 else 0 :])[0]


def encoded(events: Sequence[SseEvent]) -> bytes:
    """The events on the wire."""
    return events.wire if isinstance(events, EncodedEvents) else encode_events(events)


def in_parts(frames: bytes) -> list[Sequence[SseEvent]]:
    """The events of whole frames: runs, and lists of the others."""
    if len(frames) < _FEWEST_BYTES:
        return [events_of(frames)]
    parts: list[Sequence[SseEvent]] = []
    done = position = 0
    for _ in range(_TRIES):
        first = _FIRST.search(frames, position)
        if first is None:
            break
        position = _end_of_run(frames, first)
        run = frames[first.start() : position]
        if len(run) >= _FEWEST * len(first[0]) and _is_text(run):
            parts.append(events_of(frames[done : first.start()]))
            parts.append(Run(first[1], run))
            done = position
    parts.append(events_of(frames[done:]))
    return [part for part in parts if part]


def _end_of_run(frames: bytes, first: re.Match[bytes]) -> int:
    """Where the events end that are alike the first one."""
    run = _alike(tuple(_NAME.findall(first[2])[:_MOST_VARYING])).match(frames, first.start())
    return max(run.end() if run else 0, first.end())


@lru_cache(maxsize=64)
def _alike(varying: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Matches events that are as the first of them but for the values of these members, in order.

    That the first is sound is not looked at. The others are compared with it by references to what
    it is made of, which takes a third of the time that a pattern with all of it in it would.
    """
    groups = [rb'([^\n]*?"%b":[ \t]*+)' % name for name in varying]
    values = [_VARYING[name] for name in varying]
    first = b"".join(chain.from_iterable(zip(groups, values, strict=True)))
    others = b"".join(rb"\%d%b" % each for each in enumerate(values, 2))
    end = len(varying) + 2
    return re.compile(rb"(event: [^\n]*\n)%b([^\n]*\n\n)(?:\1%b\%d)*+" % (first, others, end))


def _is_text(run: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        return run.isascii() or bool(run.decode())
    except UnicodeDecodeError:
        return False
