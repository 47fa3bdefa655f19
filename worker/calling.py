"""The provider call of one attempt: whole or streamed, plain or in the provider's background."""

import logging
from collections.abc import Callable

import orjson

from common.answers import Answer
from common.background_call import UpstreamMemory
from common.errors import CallAborted, MuninnError, ServiceUnavailable
from common.inference import CallOptions, Inference
from common.jobs import Claim, JobStatus
from common.providers.base import UpstreamCall
from common.store import JobStore
from worker.event_writer import EventWriter
from worker.leases import DEADLINE, LOST
from worker.persistence import Persistence
from worker.recorder import PARTIAL_SECONDS, Recorder

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
        """The provider's answer. Raises MuninnError for a call that failed or was aborted.

        A provider that works on in its background although nobody wants its answer any more is
        told so before.
        """
        memory = UpstreamMemory(claim.job_id, claim.upstream_id, self._noting(claim, call))
        run = self._streamed if claim.streamed else self._whole
        try:
            return run(claim, call, memory)
        except CallAborted as aborted:
            if aborted.reason == DEADLINE or (aborted.reason == LOST and self._is_unwanted(claim)):
                self._cancel_upstream(claim.request, memory.upstream_id)
            raise

    def _whole(self, claim: Claim, call: UpstreamCall, memory: UpstreamMemory) -> Answer:
        return self._inference.create(
            orjson.loads(claim.request),
            CallOptions.from_json(claim.options),
            call,
            attempt=claim.attempt,
            memory=memory,
        )

    def _streamed(self, claim: Claim, call: UpstreamCall, memory: UpstreamMemory) -> Answer:
        """The answer of a call whose events are published as they come."""
        call.silence_seconds = PARTIAL_SECONDS
        recorder = Recorder(claim, call, self._writer)
        try:
            stream = self._inference.stream(
                orjson.loads(claim.request), call, attempt=claim.attempt, memory=memory
            )
            try:
                for event in stream.events():
                    if event is None:
                        recorder.pause()
                    else:
                        recorder.add(event)
                return stream.answer(recorder.response())
            finally:
                stream.close()
        finally:
            self._writer.flush()  # the job's end is written after its last event
            self._writer.forget(claim)

    def _noting(self, claim: Claim, call: UpstreamCall) -> Callable[[str], None]:
        def note(upstream_id: str) -> None:
            store = self._store
            if not self._persistence.until_done(lambda: store.note_upstream(claim, upstream_id)):
                # The job has ended or is another attempt's: nobody will come to know of it.
                self._cancel_upstream(claim.request, upstream_id)
                call.abort(LOST)
                call.check()

        return note

    def _is_unwanted(self, claim: Claim) -> bool:
        """Whether the job was lost to nobody: it was cancelled or deleted."""
        try:
            record = self._store.get(claim.job_id)
        except ServiceUnavailable:
            return False
        return record is None or record.status is JobStatus.CANCELLED

    def cancel_abandoned(self, job_id: str) -> None:
        """If the job was cancelled while it waited and its provider works on it in background,
        tell the provider."""
        try:
            abandoned = self._persistence.until_done(lambda: self._store.abandoned_upstream(job_id))
        except ServiceUnavailable:
            return
        if abandoned is not None:
            self._cancel_upstream(*abandoned)

    def _cancel_upstream(self, request: bytes, upstream_id: str | None) -> None:
        """``request`` is the job's request or shape: it names the model."""
        if upstream_id is None:
            return
        try:
            self._inference.cancel_upstream(orjson.loads(request)["model"], upstream_id)
        except MuninnError as error:
            log.warning("upstream not cancelled: code=%s", error.code)
