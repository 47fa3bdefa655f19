"""Publishes the events of one streamed attempt, and keeps the output so far."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from common.accumulate import OutputSoFar
from common.errors import ProviderInvalidAnswer
from common.job_stream import FIRST_STORED_SEQUENCE, as_job_event, restarted_event
from common.jobs import Claim
from common.providers.base import UpstreamCall
from common.providers.events import TERMINAL_EVENTS, error_of, response_of
from common.sse import SseEvent
from common.store.job_events import Append, StoredEvent
from worker.event_writer import EventWriter
from worker.leases import LOST

# A poll shows the output so far, as of at most this long ago; and so often it is stored at least,
# so that no event is trimmed from a long stream before its text is in there.
PARTIAL_SECONDS = 1.0
PARTIAL_EVENTS = 500


class Recorder:
    """Takes the events of an attempt one by one; ``response`` is the answer they end with."""

    def __init__(
        self,
        claim: Claim,
        call: UpstreamCall,
        writer: EventWriter,
        on_response_id: Callable[[str], None],
    ) -> None:
        self._claim = claim
        self._call = call
        self._writer = writer
        self._on_response_id = on_response_id
        self._so_far = OutputSoFar()
        self._response_id = ""
        self._partial_at = 0.0
        self._since_partial = 0
        self._terminal: dict[str, Any] | None = None
        last = claim.last_sequence
        self._next_sequence = FIRST_STORED_SEQUENCE if last is None else last + 1
        if last is not None:
            self._publish(restarted_event(claim.shape, claim.attempt))

    def add(self, event: SseEvent) -> None:
        """Publish an event. Raises ProviderAnsweredError for one that says the call failed."""
        parsed: dict[str, Any] = orjson.loads(event.data)
        kind = parsed["type"]
        if kind == "error":
            raise error_of(parsed)
        self._so_far.add(parsed)
        new_id = self._new_response_id(parsed)
        if kind == "response.created":
            return self._publish(None, new_id)  # the stream of a job has its own
        if kind in TERMINAL_EVENTS:
            self._terminal = parsed
        return self._publish(parsed, new_id)

    def response(self) -> dict[str, Any]:
        """The whole answer. Raises ProviderInvalidAnswer when it never came."""
        if self._terminal is None:
            raise ProviderInvalidAnswer("The provider ended its stream without an answer.")
        return response_of([self._terminal])

    def _new_response_id(self, event: dict[str, Any]) -> str:
        response = event.get("response")
        found = response.get("id") if isinstance(response, dict) else None
        if not isinstance(found, str) or found == self._response_id:
            return ""
        self._response_id = found
        self._on_response_id(found)
        return found

    def _publish(self, event: dict[str, Any] | None, new_id: str = "") -> None:
        events = []
        if event is not None:
            shown = as_job_event(event, self._claim.job_id, self._next_sequence)
            stored = SseEvent(str(shown["type"]).encode(), orjson.dumps(shown))
            events = [StoredEvent(self._next_sequence, stored)]
            self._next_sequence += 1
        if events or new_id:
            append = Append(self._claim, events, self._partial(), new_id)
            if not self._writer.leave(append):
                self._call.abort(LOST)

    def _partial(self) -> bytes:
        self._since_partial += 1
        now = time.monotonic()
        if now - self._partial_at < PARTIAL_SECONDS and self._since_partial < PARTIAL_EVENTS:
            return b""
        self._partial_at, self._since_partial = now, 0
        through = self._next_sequence - 1
        return orjson.dumps({"sequence_number": through, "output": self._so_far.output})
