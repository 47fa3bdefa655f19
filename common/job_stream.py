"""A job as a stream of events: what happened so far, then what happens, to its end.

Each job's stream begins with ``response.created`` and ``response.queued``, which carry the job's
own id and are made from its record. A streamed job then has the events that its worker stored;
any other has those of its finished answer, all at once. Sequence numbers count through it all, so
a reader may go on after any of them, at any front.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from tenacity import wait_random_exponential

from common.errors import JobNotFound, MuninnError, ServiceUnavailable
from common.job_views import response_view
from common.jobs import JobRecord, JobStatus
from common.providers.events import TERMINAL_EVENTS, events_of
from common.retry_policy import attempt_state
from common.sse import SseEvent
from common.store.endings import Endings
from common.store.job_events import JobEvents, StoredEvent

FIRST_STORED_SEQUENCE = 2
BLOCK_SECONDS = 5.0
# How long a reader puts up with a store that is away.
PATIENCE_SECONDS = 60.0

_pause = wait_random_exponential(multiplier=0.1, max=2)


def opening_events(shape: bytes) -> list[dict[str, Any]]:
    """The two events that every job's stream begins with."""
    response = orjson.loads(shape) | {"status": JobStatus.QUEUED.value}
    return [
        {"type": "response.created", "sequence_number": 0, "response": response},
        {"type": "response.queued", "sequence_number": 1, "response": response},
    ]


def restarted_event(shape: bytes, attempt: int) -> dict[str, Any]:
    """Tells readers that all events before it are void: a new attempt starts from the beginning."""
    response = orjson.loads(shape) | {"status": JobStatus.QUEUED.value}
    return {
        "type": "response.queued",
        "response": response,
        "extra_fields": {"restarted": True, "attempt": attempt},
    }


def as_job_event(event: dict[str, Any], job_id: str, sequence: int) -> dict[str, Any]:
    """A provider's event in its place in a job's stream.

    Whatever an attempt's response is called at the provider, the stream is about one response: the
    SDKs take another id for an error.
    """
    shown = event | {"sequence_number": sequence}
    if isinstance(event.get("response"), dict):
        shown["response"] = event["response"] | {"id": job_id}
    return shown


class JobStream:
    """The events of a job after a sequence number (-1: all), and None for each silence.

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
        self._is_terminated = False

    def close(self) -> None:
        """Nothing is held between two events."""

    def __iter__(self) -> Iterator[SseEvent | None]:
        try:
            for event in self._all():
                if event is None:
                    yield None
                elif event["sequence_number"] > self._last:
                    yield self._passed(event)
        except MuninnError as error:
            yield _encoded(_error_event(error, self._last + 1))

    def _passed(self, event: dict[str, Any]) -> SseEvent:
        self._last = event["sequence_number"]
        self._is_terminated = event["type"] in TERMINAL_EVENTS
        return _encoded(event)

    def _all(self) -> Iterator[dict[str, Any] | None]:
        yield from opening_events(self._record.shape)
        yield from self._stored() if self._record.streamed else self._of_answer()
        if not self._is_terminated:
            yield self._closing_event()

    def _of_answer(self) -> Iterator[dict[str, Any] | None]:
        """The events of a job that was not streamed, when it has its answer."""
        while not self._record.is_ended:
            self._record = self._endings.wait(self._record.id, self._look, self._silence_seconds)
            if not self._record.is_ended:
                yield None
        if self._record.result is None:
            return
        answer = events_of(orjson.loads(self._record.result))
        for sequence, event in enumerate(list(answer)[1:], FIRST_STORED_SEQUENCE):
            yield as_job_event(event, self._record.id, sequence)

    def _stored(self) -> Iterator[dict[str, Any] | None]:
        """The events of a streamed job, to the mark of its end."""
        after = max(self._last, FIRST_STORED_SEQUENCE - 1)
        silent_since = time.monotonic()
        while True:
            found = self._read(after)
            if not found:
                self._record = self._look()
                if time.monotonic() - silent_since >= self._silence_seconds:
                    silent_since = time.monotonic()
                    yield None
                continue
            silent_since = time.monotonic()
            if found[0].event is not None and found[0].sequence > after + 1:
                yield from self._snapshot()
            for stored in found:
                if stored.event is None:
                    self._record = self._look()
                    return
                after = stored.sequence
                yield orjson.loads(stored.event.data)

    def _snapshot(self) -> Iterator[dict[str, Any]]:
        """Stands for events that were trimmed: the output as it was after the last of them."""
        record = self._look()
        partial = orjson.loads(record.partial or b'{"sequence_number":-1,"output":[]}')
        response = orjson.loads(response_view(record)) | {"output": partial["output"]}
        yield {
            "type": "response.in_progress",
            "sequence_number": partial["sequence_number"],
            "response": response,
            "extra_fields": {"snapshot": True},
        }

    def _read(self, after: int) -> list[StoredEvent]:
        """Read on, with patience for a store that is away for a while."""
        started, failures = time.monotonic(), 0
        while True:
            try:
                block_seconds = min(BLOCK_SECONDS, self._silence_seconds)
                return self._events.read(self._record.id, after, block_seconds)
            except ServiceUnavailable:
                failures += 1
                if time.monotonic() - started > PATIENCE_SECONDS:
                    raise
                time.sleep(_pause(attempt_state(failures)))

    def _closing_event(self) -> dict[str, Any]:
        """The end of a job whose provider never sent one."""
        response = orjson.loads(response_view(self._record))
        status = response.get("status")
        known = {"completed": "response.completed", "incomplete": "response.incomplete"}
        event = {"type": known.get(status, "response.failed"), "response": response}
        return as_job_event(event, self._record.id, self._last + 1)


def _encoded(event: dict[str, Any]) -> SseEvent:
    return SseEvent(event["type"].encode(), orjson.dumps(event))


def _error_event(error: MuninnError, sequence: int) -> dict[str, Any]:
    gone = isinstance(error, JobNotFound)
    fault = {
        "code": error.code,
        "message": "The job was deleted." if gone else error.message,
        "param": error.param,
    }
    return {
        "type": "error",
        **fault,
        "error": {"type": error.type, **fault},
        "sequence_number": sequence,
    }
