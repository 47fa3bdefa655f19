"""Runs one attempt of a job: claim it, call the provider, write how it ended. Knows no Celery."""

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Iterable
from functools import partial

from common import tracing
from common.answers import Answer, Exchange
from common.errors import (
    CallAborted,
    DeadlineExceeded,
    InternalError,
    MuninnError,
    ServiceUnavailable,
)
from common.job_errors import error_fields
from common.jobs import Claim, Ending, JobStatus
from common.metrics import Metrics
from common.providers.base import UpstreamCall
from common.queue import JobQueue
from common.retry_policy import retry_delay_seconds
from common.settings import Settings
from common.store import JobStore
from common.usage import usage_of
from worker.calling import JobCaller
from worker.job_context import attempt_of
from worker.leases import DEADLINE, HANDED_BACK, RENEWALS_PER_LEASE, LeaseKeeper
from worker.persistence import Persistence

log = logging.getLogger(__name__)

# For so long a stopping worker may still be handed messages: what Celery has asked Redis for is
# answered after a second at the latest.
LISTENING_SECONDS = 1.2


class JobRunner:
    """Runs jobs, each in the thread that asks for it."""

    def __init__(
        self,
        store: JobStore,
        queue: JobQueue,
        caller: JobCaller,
        leases: LeaseKeeper,
        persistence: Persistence,
        settings: Settings,
        metrics: Metrics | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._caller = caller
        self._leases = leases
        self._persistence = persistence
        self._settings = settings
        self._metrics = metrics or Metrics()
        self._is_stopping = threading.Event()

    def stop_taking(self) -> None:
        """From now on jobs are left to other workers."""
        self._is_stopping.set()

    def run(self, job_id: str) -> None:
        """Run one attempt, unless the job is not to be had: ended, running, or gone."""
        if self._is_stopping.is_set():
            time.sleep(LISTENING_SECONDS)  # or it might come right back
            self.pass_on([job_id])
            return
        claim = self._claim(job_id)
        if claim is None:
            log.info("nothing to do: job_id=%s", job_id)
            self._caller.cancel_abandoned(job_id)
            return
        call = UpstreamCall()
        deadline = time.monotonic() + self._remaining_seconds(claim)
        counted = self._metrics.jobs.attempt(claim)
        with self._leases.holding(claim, call, deadline), attempt_of(claim), counted:
            self._attempt(claim, call, deadline)

    def pass_on(self, job_ids: Iterable[str]) -> None:
        """Leave jobs to other workers, whose messages came when the signal had come."""
        for job_id in job_ids:
            message = self._queue.message(job_id)
            with contextlib.suppress(ServiceUnavailable):  # then the janitor finds it
                if self._persistence.until_done(partial(self._store.pass_on, job_id, message)):
                    self._queue.send(job_id)
            log.info("job passed on: job_id=%s", job_id)

    def _claim(self, job_id: str) -> Claim | None:
        """The claim, known to be fresh: a process that was frozen while it asked asks again, or
        it would call the provider for a job that another has taken over."""
        token, message = uuid.uuid4().hex, self._queue.message(job_id)
        fresh_seconds = self._settings.lease_seconds / RENEWALS_PER_LEASE
        while True:
            asked_at = time.monotonic()
            claim = self._persistence.until_done(lambda: self._store.claim(job_id, token, message))
            if claim is None or time.monotonic() - asked_at < fresh_seconds:
                return claim

    def _attempt(self, claim: Claim, call: UpstreamCall, deadline: float) -> None:
        try:
            self._check_deadlines(claim)
            answer = self._caller.answer(claim, call)
        except CallAborted as aborted:
            self._on_abort(claim, aborted.reason)
        except ServiceUnavailable:
            # This process has to go, and could not note what it had to: not the job's fault.
            self._on_abort(claim, HANDED_BACK)
        except MuninnError as error:
            self._on_failure(claim, error, deadline)
        except Exception:
            log.exception("attempt failed: job_id=%s attempt=%d", claim.job_id, claim.attempt)
            self._fail(claim, InternalError("The gateway failed to run this job."))
        else:
            self._finish(claim, _ending_of(answer), answer.exchange)

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
        tracing.outcome(reason.replace(" ", "_"))
        if reason == DEADLINE:
            self._fail(claim, _run_deadline_exceeded())
        elif reason == HANDED_BACK:
            message = self._queue.message(claim.job_id)
            if self._persistence.until_done(lambda: self._store.release(claim, message)):
                self._metrics.jobs.handed_back()
                with contextlib.suppress(ServiceUnavailable):  # then the janitor sends it
                    self._queue.send(claim.job_id)
            log.info("job handed back: job_id=%s attempt=%d", claim.job_id, claim.attempt)

    def _on_failure(self, claim: Claim, error: MuninnError, deadline: float) -> None:
        delay_seconds = retry_delay_seconds(
            error,
            claim.failures + 1,
            self._settings.max_provider_attempts,
            deadline - time.monotonic(),
        )
        if delay_seconds is None:
            self._fail(claim, error)
            if claim.upstream_id is not None:
                self._caller.cancel_abandoned(claim.job_id)
            return
        log.info(
            "job will be tried again: job_id=%s attempt=%d code=%s delay_seconds=%.1f",
            claim.job_id,
            claim.attempt,
            error.code,
            delay_seconds,
        )
        tracing.outcome("tried_again", error.code)
        fields = error_fields(error)
        is_parked = self._persistence.until_done(
            lambda: self._store.release(claim, b"", delay_seconds=delay_seconds, error=fields)
        )
        if is_parked:
            self._metrics.jobs.retried()

    def _fail(self, claim: Claim, error: MuninnError) -> None:
        self._finish(claim, Ending(JobStatus.FAILED, error=error_fields(error)))

    def _finish(self, claim: Claim, ending: Ending, by: Exchange | None = None) -> None:
        ended = self._persistence.until_done(lambda: self._store.finish(claim, ending))
        if ended:
            self._metrics.jobs.ended(ending.status)
            if by is not None:
                self._metrics.providers.spent(by.provider, by.model_deployment, ending.usage)
        code = (ending.error or {}).get("code")
        tracing.outcome(ending.status.value, code)
        log.info(
            "job ended: job_id=%s attempt=%d status=%s code=%s counted=%s",
            claim.job_id,
            claim.attempt,
            ending.status.value,
            code,
            bool(ended),
        )


def _ending_of(answer: Answer) -> Ending:
    response = answer.response
    response_id = response.get("id")
    error = response.get("error")
    is_failed = response.get("status") in ("failed", "cancelled")
    return Ending(
        status=JobStatus.FAILED if is_failed else JobStatus.COMPLETED,
        result=answer.body,
        response_id=response_id if isinstance(response_id, str) and response_id else None,
        error=error if is_failed and isinstance(error, dict) else None,
        usage=usage_of(response.get("usage"), answer.cost),
    )


def _run_deadline_exceeded() -> DeadlineExceeded:
    return DeadlineExceeded("The job ran for longer than its deadline.")
