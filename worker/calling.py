"""The provider call of one attempt: whole or streamed, plain or in the provider's background."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from common.answers import Answer
from common.background_call import UpstreamMemory
from common.caller_keys import CallerKey, KeyVault
from common.errors import CallAborted, CallerKeyUnusable, MuninnError, ServiceUnavailable
from common.inference import CallOptions, Inference
from common.jobs import Claim, JobStatus
from common.providers.base import UpstreamCall
from common.store import JobStore
from worker.event_writer import EventWriter
from worker.leases import DEADLINE, LOST
from worker.persistence import Persistence
from worker.recorder import PARTIAL_SECONDS, Recorder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """One attempt at its provider: the job, with what options and whose key, and the call."""

    claim: Claim
    options: CallOptions
    caller_key: CallerKey | None
    call: UpstreamCall


class JobCaller:
    """Calls providers for jobs."""

    def __init__(
        self,
        store: JobStore,
        inference: Inference,
        writer: EventWriter,
        persistence: Persistence,
        vault: KeyVault,
    ) -> None:
        self._vault = vault
        self._store = store
        self._inference = inference
        self._writer = writer
        self._persistence = persistence

    def answer(self, claim: Claim, call: UpstreamCall) -> Answer:
        """The provider's answer. Raises MuninnError for a call that failed or was aborted.

        A provider that works on in its background although nobody wants its answer any more is
        told so before.
        """
        options = CallOptions.from_json(claim.options)
        asking = Asking(claim, options, self._caller_key(claim, options), call)
        memory = UpstreamMemory(claim.job_id, claim.upstream_id, self._noting(asking))
        run = self._streamed if claim.streamed else self._whole
        try:
            return run(asking, memory)
        except CallAborted as aborted:
            if aborted.reason == DEADLINE or (aborted.reason == LOST and self._is_unwanted(claim)):
                self._cancel_upstream(claim.request, memory.upstream_id, asking.caller_key)
            raise

    def _caller_key(self, claim: Claim, options: CallOptions) -> CallerKey | None:
        """The key that came with the job. Raises CallerKeyUnusable: without it the job does not
        run, for another's key would pay."""
        if claim.caller_key is not None:
            return self._vault.open(claim.job_id, claim.caller_key)
        if options.has_caller_key:
            raise CallerKeyUnusable("The provider key that was sent with this job is gone.")
        return None

    def _whole(self, asking: Asking, memory: UpstreamMemory) -> Answer:
        return self._inference.create(
            orjson.loads(asking.claim.request),
            asking.options,
            asking.call,
            attempt=asking.claim.attempt,
            memory=memory,
            caller_key=asking.caller_key,
        )

    def _streamed(self, asking: Asking, memory: UpstreamMemory) -> Answer:
        """The answer of a call whose events are published as they come."""
        claim, call = asking.claim, asking.call
        call.silence_seconds = PARTIAL_SECONDS
        recorder = Recorder(claim, call, self._writer)
        try:
            stream = self._inference.stream(
                orjson.loads(claim.request),
                call,
                options=asking.options,
                attempt=claim.attempt,
                memory=memory,
                caller_key=asking.caller_key,
            )
            try:
                for batch in stream.batches():
                    for event in batch:
                        recorder.add(event)
                    if not batch:
                        recorder.pause()
                return stream.answer(recorder.response())
            finally:
                stream.close()
        finally:
            self._writer.flush()  # the job's end is written after its last event
            self._writer.forget(claim)

    def _noting(self, asking: Asking) -> Callable[[str], None]:
        claim, call, store = asking.claim, asking.call, self._store

        def note(upstream_id: str) -> None:
            if not self._persistence.until_done(lambda: store.note_upstream(claim, upstream_id)):
                # The job has ended or is another attempt's: nobody will come to know of it.
                self._cancel_upstream(claim.request, upstream_id, asking.caller_key)
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
        """If the job was given up while it waited and its provider works on it in background,
        tell the provider; by the row's key, for one of the caller's ended with the job."""
        try:
            abandoned = self._persistence.until_done(lambda: self._store.abandoned_upstream(job_id))
        except ServiceUnavailable:
            return
        if abandoned is not None:
            self._cancel_upstream(*abandoned)

    def _cancel_upstream(
        self, request: bytes, upstream_id: str | None, caller_key: CallerKey | None = None
    ) -> None:
        """``request`` is the job's request or shape: it names the model."""
        if upstream_id is None:
            return
        try:
            model = orjson.loads(request)["model"]
            self._inference.cancel_upstream(model, upstream_id, caller_key)
        except MuninnError as error:
            log.warning("upstream not cancelled: code=%s", error.code)
