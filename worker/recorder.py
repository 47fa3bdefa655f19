"""Publishes the events of one streamed attempt, and keeps the output so far."""

import time
from typing import Any

import orjson

from common.accumulate import OutputSoFar
from common.compact import compact_json
from common.errors import ProviderInvalidAnswer
from common.job_stream_events import FIRST_STORED_SEQUENCE, as_job_event, restarted_event
from common.jobs import Claim
from common.providers.base import UpstreamCall
from common.providers.events import TERMINAL_EVENTS, error_of, response_of
from common.providers.response_stream import object_in
from common.sse import SseEvent
from common.store.job_events import Append, StoredEvent
from worker.event_writer import EventWriter
from worker.leases import LOST

# A poll shows the output so far, as of at most this long ago.
PARTIAL_SECONDS = 1.0
# So often it is stored at least, and never less often than events are trimmed: what a reader can
# not have any more is always in there.
PARTIAL_EVENTS = 500

# The stream of a job has its own.
_OPENING = frozenset({"response.created", "response.queued"})


class Recorder:
    """Takes the events of an attempt one by one; ``response`` is the answer they end with.

    The last event is not published: readers are told of the end by the job's record, when it is
    written and nothing can undo it.
    """

    def __init__(
        self,
        claim: Claim,
        call: UpstreamCall,
        writer: EventWriter,
    ) -> None:
        self._claim = claim
        self._call = call
        self._writer = writer
        self._so_far = OutputSoFar()
        self._response_id = ""
        self._partial_every = min(PARTIAL_EVENTS, writer.cap)
        self._partial_at = float("-inf")
        self._since_partial = 0
        self._terminal: dict[str, Any] | None = None
        last = claim.last_sequence
        self._next_sequence = FIRST_STORED_SEQUENCE if last is None else last + 1
        if last is not None:
            self._publish(restarted_event(claim.shape, claim.attempt, self._next_sequence))

    def add(self, event: SseEvent) -> None:
        """Publish an event. Raises ProviderAnsweredError for one that says the call failed, and
        ProviderInvalidAnswer for one that is nested too deeply to be written again."""
        parsed = object_in(event.data)
        kind = parsed["type"]
        if kind == "error":
            raise error_of(parsed)
        self._so_far.add(parsed)
        new_id = self._new_response_id(parsed)
        if kind in TERMINAL_EVENTS:
            self._terminal = parsed
        if kind not in TERMINAL_EVENTS and kind not in _OPENING:
            self._publish(parsed, new_id)
        elif new_id:
            self._leave([], b"", new_id)

    def pause(self) -> None:
        """Nothing comes for a while: what has come by now is shown to polls."""
        if self._since_partial:
            self._leave([], self._partial())

    def response(self) -> dict[str, Any]:
        """The whole answer. Raises ProviderInvalidAnswer when it never came."""
        if self._terminal is None:
            raise ProviderInvalidAnswer("The provider ended its stream without an answer.")
        # Some servers leave the output out of their last event.
        items = [{"type": "response.output_item.done", "item": i} for i in self._so_far.output]
        return response_of([*items, self._terminal])

    def _new_response_id(self, event: dict[str, Any]) -> str:
        response = event.get("response")
        found = response.get("id") if isinstance(response, dict) else None
        if not isinstance(found, str) or found == self._response_id:
            return ""
        self._response_id = found
        return found

    def _publish(self, event: dict[str, Any], new_id: str = "") -> None:
        sequence, self._next_sequence = self._next_sequence, self._next_sequence + 1
        shown = as_job_event(event, self._claim.job_id, sequence)
        stored = StoredEvent(sequence, SseEvent(str(shown["type"]).encode(), compact_json(shown)))
        self._since_partial += 1
        is_due = time.monotonic() - self._partial_at >= PARTIAL_SECONDS
        shows = is_due or self._since_partial >= self._partial_every
        self._leave([stored], self._partial() if shows else b"", new_id)

    def _partial(self) -> bytes:
        self._partial_at, self._since_partial = time.monotonic(), 0
        through = self._next_sequence - 1
        return orjson.dumps({"sequence_number": through, "output": self._so_far.output})

    def _leave(self, events: list[StoredEvent], partial: bytes, new_id: str = "") -> None:
        if not self._writer.leave(Append(self._claim, events, partial, new_id)):
            self._call.abort(LOST)
