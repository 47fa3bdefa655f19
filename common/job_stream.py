"""A job as a stream of events: what happened so far, then what happens, to its end.

Each job's stream begins with ``response.created`` and ``response.queued``, which are made from its
record. A streamed job then has the events that its worker stored, and an end made from its record;
any other has the events of its finished answer, all at once. Sequence numbers count through it
all, the same for every reader, so one may go on after any of them, at any front.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson
from tenacity import wait_random_exponential

from common.answers import error_event
from common.errors import InternalError, JobNotFound, MuninnError, ServiceUnavailable
from common.job_stream_events import (
    FIRST_STORED_SEQUENCE,
    as_job_event,
    closing_event,
    opening_events,
    restarted_event,
    sequence_after,
    snapshot_event,
)
from common.jobs import JobRecord
from common.providers.base import Batch
from common.providers.events import events_of
from common.retry_policy import attempt_state
from common.sse import SseEvent
from common.store.endings import Endings
from common.store.job_events import JobEvents, StoredEvent

log = logging.getLogger(__name__)

BLOCK_SECONDS = 5.0
# How long a reader puts up with a store that is away.
PATIENCE_SECONDS = 60.0

Answer = TypeVar("Answer")

_pause = wait_random_exponential(multiplier=0.1, max=2)


class JobStream:
    """The events of a job after a sequence number (-1: all), an empty batch for each silence.

    Never raises while iterating; a stream that cannot go on ends with an ``error`` event.
    """

    def __init__(
        self,
        record: JobRecord,
        look: Callable[[], JobRecord],
        events: JobEvents,
        endings: Endings,
        *,
        after: int,
        silence_seconds: float,
    ) -> None:
        self.headers: dict[str, str] = {}
        self._record = record
        self._look = look
        self._events = events
        self._endings = endings
        self._last = after
        self._silence_seconds = silence_seconds
        self._spoke_at = time.monotonic()
        self._away_since: float | None = None
        self._failures = 0

    def close(self) -> None:
        """Nothing is held between two events."""

    def __iter__(self) -> Iterator[Batch]:
        try:
            for stored in self._all():
                if stored is None:
                    yield ()
                elif stored.event is not None and stored.sequence > self._last:
                    self._last = stored.sequence
                    yield (stored.event,)
                    self._spoke_at = time.monotonic()
        except MuninnError as error:
            yield (_error_event(error, self._last + 1),)
        except Exception:
            log.exception("reading a job's events failed: job_id=%s", self._record.id)
            yield (_error_event(InternalError("The gateway failed."), self._last + 1),)

    def _all(self) -> Iterator[StoredEvent | None]:
        yield from map(_encoded, opening_events(self._record.shape))
        if not self._record.streamed:
            yield from self._until_ended()
            yield from self._of_result(FIRST_STORED_SEQUENCE)
            return
        yield from self._stored()
        sequence = sequence_after(self._record)
        if self._record.is_overtaken:
            # The answer came from another attempt than the events: they do not go together.
            event = restarted_event(self._record.shape, self._record.attempts, sequence)
            yield _encoded(event)
            yield from self._of_result(sequence + 1)
        else:
            yield _encoded(closing_event(self._record))

    def _until_ended(self) -> Iterator[None]:
        while not self._record.is_ended:
            self._record = self._ask(self._wait) or self._record
            yield from self._silence()

    def _wait(self) -> JobRecord:
        return self._endings.wait(self._record.id, self._look, self._silence_seconds)

    def _of_result(self, first: int) -> Iterator[StoredEvent]:
        """The events of the finished answer, numbered from ``first``."""
        if self._record.result is None:
            yield _encoded(closing_event(self._record))
            return
        _created, *events = events_of(orjson.loads(self._record.result))
        for sequence, event in enumerate(events, first):
            yield _encoded(as_job_event(event, self._record.id, sequence))

    def _stored(self) -> Iterator[StoredEvent | None]:
        """The events of a streamed job, until it has ended."""
        after = max(self._last, FIRST_STORED_SEQUENCE - 1)
        while True:
            found = self._read(after)
            for stored in found:
                if stored.event is None:
                    yield from self._look_again()
                    return
                if stored.sequence > after + 1:
                    yield from self._look_again()
                    yield self._snapshot(stored.sequence - 1)
                    if self._record.is_ended:
                        return
                yield stored
                after = stored.sequence
            if not found:
                if self._record.is_ended:  # as was known before reading
                    return
                self._record = self._ask(self._look) or self._record
                yield from self._silence()

    def _read(self, after: int) -> list[StoredEvent]:
        block_seconds = min(BLOCK_SECONDS, self._silence_seconds)
        return self._ask(lambda: self._events.read(self._record.id, after, block_seconds)) or []

    def _snapshot(self, missing: int) -> StoredEvent:
        """Stands for the events up to ``missing``, and for more where the record knows of more."""
        record = self._record
        output: list[dict[str, Any]] = []
        if record.is_ended:
            missing = sequence_after(record) - 1
            output = orjson.loads(record.result or b"{}").get("output") or []
        elif record.partial is not None:
            partial = orjson.loads(record.partial)
            output, missing = partial["output"], max(missing, partial["sequence_number"])
        return _encoded(snapshot_event(record, output, missing))

    def _look_again(self) -> Iterator[None]:
        """Look at the job again, however long that takes."""
        while (record := self._ask(self._look)) is None:
            yield from self._silence()
        self._record = record

    def _silence(self) -> Iterator[None]:
        now = time.monotonic()
        if now - self._spoke_at >= self._silence_seconds:
            self._spoke_at = now
            yield None

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        """The store's answer; None, after a pause, while it is away. Patience has an end."""
        try:
            answer = question()
        except ServiceUnavailable:
            now = time.monotonic()
            self._away_since = now if self._away_since is None else self._away_since
            if now - self._away_since > PATIENCE_SECONDS:
                raise
            self._failures += 1
            time.sleep(_pause(attempt_state(self._failures)))
            return None
        self._away_since, self._failures = None, 0
        return answer


def _encoded(event: dict[str, Any]) -> StoredEvent:
    encoded = SseEvent(str(event["type"]).encode(), orjson.dumps(event))
    return StoredEvent(int(event["sequence_number"]), encoded)


def _error_event(error: MuninnError, sequence: int) -> SseEvent:
    event = error_event(error, sequence) | {"extra_fields": {"chunk_index": sequence}}
    if isinstance(error, JobNotFound):
        message = "The job was deleted, or it has expired."
        event |= {"message": message, "error": event["error"] | {"message": message}}
    return SseEvent(b"error", orjson.dumps(event))
