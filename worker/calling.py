"""The provider call of one attempt: whole or streamed, plain or in the provider's background."""

import logging

import orjson

from common.answers import Answer
from common.background_call import UpstreamMemory
from common.errors import MuninnError
from common.inference import CallOptions, Inference
from common.jobs import Claim
from common.providers.base import UpstreamCall
from common.store import JobStore
from worker.event_writer import EventWriter
from worker.persistence import Persistence
from worker.recorder import Recorder

log = logging.getLogger(__name__)


class JobCaller:
    """Calls providers for jobs."""

    def __init__(
        self,
        store: JobStore,
        inference: Inference,
        writer: EventWriter,
        persistence: Persistence,
    ) -> None:
        self._store = store
        self._inference = inference
        self._writer = writer
        self._persistence = persistence

    def answer(self, claim: Claim, call: UpstreamCall) -> Answer:
        """The provider's answer. Raises MuninnError for a call that failed or was aborted."""
        if claim.streamed:
            return self._streamed(claim, call)
        return self._inference.create(
            orjson.loads(claim.request),
            CallOptions.from_json(claim.options),
            call,
            attempt=claim.attempt,
            memory=self._memory(claim),
        )

    def _streamed(self, claim: Claim, call: UpstreamCall) -> Answer:
        """The answer of a call whose events are published as they come."""
        memory = self._memory(claim)
        recorder = Recorder(claim, call, self._writer, on_response_id=memory.note)
        try:
            stream = self._inference.stream(
                orjson.loads(claim.request), call, attempt=claim.attempt, memory=memory
            )
            try:
                for event in stream.events():
                    if event is not None:
                        recorder.add(event)
                return stream.answer(recorder.response())
            finally:
                stream.close()
        finally:
            self._writer.flush()  # the job's end is written after its last event
            self._writer.forget(claim.job_id, claim.attempt)

    def _memory(self, claim: Claim) -> UpstreamMemory:
        noted = claim.upstream_id

        def note(upstream_id: str) -> None:
            nonlocal noted
            if upstream_id != noted and self._runs_in_background(claim):
                noted = upstream_id
                self._persistence.until_done(lambda: self._store.note_upstream(claim, upstream_id))

        return UpstreamMemory(claim.job_id, claim.upstream_id, note)

    def _runs_in_background(self, claim: Claim) -> bool:
        return self._inference.runs_in_background(orjson.loads(claim.request))

    def cancel_abandoned(self, job_id: str) -> None:
        """If the job was cancelled while its provider works on it in background, tell the
        provider."""
        try:
            abandoned = self._persistence.until_done(lambda: self._store.abandoned_upstream(job_id))
            if abandoned is not None:
                shape, upstream_id = abandoned
                self._inference.cancel_upstream(orjson.loads(shape)["model"], upstream_id)
        except MuninnError as error:
            log.warning("upstream not cancelled: job_id=%s code=%s", job_id, error.code)
