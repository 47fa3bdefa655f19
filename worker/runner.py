"""Runs one attempt of a job: claim it, call the provider, write how it ended. Knows no Celery."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from common.answers import Answer
from common.errors import (
    CallAborted,
    DeadlineExceeded,
    InternalError,
    MuninnError,
    ServiceUnavailable,
)
from common.inference import CallOptions, Inference
from common.job_errors import error_fields
from common.jobs import Claim, Ending, JobStatus
from common.providers.base import UpstreamCall
from common.queue import JobQueue
from common.retry_policy import retry_delay_seconds
from common.settings import Settings
from common.store import JobStore
from worker.event_writer import EventWriter
from worker.leases import DEADLINE, HANDED_BACK, LeaseKeeper
from worker.recorder import Recorder

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class JobRunner:
    """Runs jobs, each in the thread that asks for it."""

    def __init__(
        self,
        store: JobStore,
        queue: JobQueue,
        inference: Inference,
        leases: LeaseKeeper,
        writer: EventWriter,
        settings: Settings,
    ) -> None:
        self._store = store
        self._queue = queue
        self._inference = inference
        self._leases = leases
        self._writer = writer
        self._settings = settings
        self.given_up = threading.Event()

    def run(self, job_id: str) -> None:
        """Run one attempt, unless the job is not to be had: ended, running, or gone."""
        token = uuid.uuid4().hex
        claim = self._until_stored(lambda: self._store.claim(job_id, token))
        if claim is None:
            log.info("nothing to do: job_id=%s", job_id)
            return
        call = UpstreamCall()
        deadline = time.monotonic() + self._remaining_seconds(claim)
        with self._leases.holding(claim, call, deadline):
            self._attempt(claim, call)

    def _attempt(self, claim: Claim, call: UpstreamCall) -> None:
        try:
            self._check_deadlines(claim)
            answer = self._call_provider(claim, call)
        except CallAborted as aborted:
            self._on_abort(claim, aborted.reason)
        except MuninnError as error:
            self._on_failure(claim, error)
        except Exception:
            log.exception("attempt failed: job_id=%s attempt=%d", claim.job_id, claim.attempt)
            self._on_failure(claim, InternalError("The gateway failed to run this job."))
        else:
            self._finish(claim, _ending_of(answer))

    def _call_provider(self, claim: Claim, call: UpstreamCall) -> Answer:
        body = orjson.loads(claim.request)
        if claim.streamed:
            return self._stream_provider(claim, call, body)
        options = CallOptions.from_json(claim.options)
        return self._inference.create(body, options, call, attempt=claim.attempt)

    def _stream_provider(self, claim: Claim, call: UpstreamCall, body: dict[str, Any]) -> Answer:
        """The answer of a call whose events are published as they come."""
        recorder = Recorder(claim, call, self._writer)
        try:
            stream = self._inference.stream(body, call, attempt=claim.attempt)
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

    def _check_deadlines(self, claim: Claim) -> None:
        waited_ms = claim.started_at_ms - claim.created_at_ms
        if waited_ms > self._settings.queue_deadline_seconds * 1000:
            raise DeadlineExceeded("The job waited in the queue for longer than its deadline.")
        if self._remaining_seconds(claim) <= 0:
            raise _run_deadline_exceeded()

    def _remaining_seconds(self, claim: Claim) -> float:
        ran_ms = claim.claimed_at_ms - claim.started_at_ms
        return self._settings.run_deadline_seconds - ran_ms / 1000

    def _on_abort(self, claim: Claim, reason: str) -> None:
        if reason == DEADLINE:
            self._on_failure(claim, _run_deadline_exceeded())
        elif reason == HANDED_BACK:
            message = self._queue.message(claim.job_id)
            if self._until_stored(lambda: self._store.release(claim, message)):
                self._queue.send(claim.job_id)
            log.info("job handed back: job_id=%s attempt=%d", claim.job_id, claim.attempt)

    def _on_failure(self, claim: Claim, error: MuninnError) -> None:
        delay_seconds = retry_delay_seconds(
            error,
            claim.failures + 1,
            self._settings.max_provider_attempts,
            self._remaining_seconds(claim),
        )
        fields = error_fields(error)
        if delay_seconds is None:
            self._finish(claim, Ending(JobStatus.FAILED, error=fields))
            return
        log.info(
            "job will be tried again: job_id=%s attempt=%d code=%s delay_seconds=%.1f",
            claim.job_id,
            claim.attempt,
            error.code,
            delay_seconds,
        )
        self._until_stored(
            lambda: self._store.release(claim, b"", delay_seconds=delay_seconds, error=fields)
        )

    def _finish(self, claim: Claim, ending: Ending) -> None:
        ended = self._until_stored(lambda: self._store.finish(claim, ending))
        log.info(
            "job ended: job_id=%s attempt=%d status=%s counted=%s",
            claim.job_id,
            claim.attempt,
            ending.status.value,
            bool(ended),
        )

    def _until_stored(self, action: Callable[[], Result]) -> Result:
        """Do it, again and again while Redis is away: a result is a paid answer.

        Gives up, with ServiceUnavailable, only when this process has to go.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_when_event_set(self.given_up),
            reraise=True,
        )
        return retrying(action)


def _ending_of(answer: Answer) -> Ending:
    response = answer.response
    response_id = response.get("id")
    error = response.get("error")
    is_failed = response.get("status") == "failed"
    return Ending(
        status=JobStatus.FAILED if is_failed else JobStatus.COMPLETED,
        result=answer.body,
        response_id=response_id if isinstance(response_id, str) and response_id else None,
        error=error if is_failed and isinstance(error, dict) else None,
    )


def _run_deadline_exceeded() -> DeadlineExceeded:
    return DeadlineExceeded("The job ran for longer than its deadline.")
