"""Submitting a job: stored and queued in one step, or refused with nothing left behind."""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from common.caller_keys import CallerKey, KeyVault
from common.errors import IdempotencyMismatch, ServiceUnavailable
from common.inference import CallOptions, Inference
from common.job_views import submit_shape
from common.jobs import NewJob
from common.queue import JobQueue
from common.store import JobStore

_KEYS = uuid.UUID("6d756e69-6e6e-4d65-8d6f-727900000001")


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to be run as a job.

    ``raw`` is the body as the caller sent it, by which a repeated submit is known; ``request`` is
    the body to run, and ``body`` the same parsed and checked. ``job_id`` is given to the jobs of a
    batch. ``max_running`` bounds the jobs of the owner that run at once. ``caller_key`` is the
    caller's own for the provider; a repeated submit is known by its body, whatever key it brings.
    """

    owner: str
    raw: bytes
    request: bytes
    body: dict[str, Any]
    options: CallOptions
    ttl_seconds: int
    idempotency_key: str | None = None
    job_id: str | None = None
    batch_id: str | None = None
    webhook: str | None = None
    max_running: int | None = None
    caller_key: CallerKey | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job of a submit. ``is_replayed`` when an earlier submit with the same key made it."""

    job_id: str
    created_at_ms: int
    shape: bytes
    is_replayed: bool = False


class Submitter:
    """Turns submissions into queued jobs."""

    def __init__(
        self,
        store: JobStore,
        queue: JobQueue,
        inference: Inference,
        vault: KeyVault | None = None,
        on_queued: Callable[[], None] | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._inference = inference
        self._vault = vault or KeyVault()
        self._on_queued = on_queued

    def submit(self, submission: Submission) -> Submitted:
        """The new job, safely stored and queued, or the one an earlier submit has made.

        Raises ModelNotFound, RateLimited when the queue is full, IdempotencyMismatch when the key
        was used for another body, and ServiceUnavailable when it could not be stored; then
        nothing remains of it.
        """
        job = self.prepare(submission)
        if not self.enqueue(job):
            return self._replayed(job)
        return Submitted(job.id, job.created_at_ms, job.shape)

    def prepare(self, submission: Submission) -> NewJob:
        """The job as it would be stored. Raises what ``Inference.check`` raises."""
        self._inference.check(submission.body, submission.caller_key)
        provider, max_in_flight = self._inference.provider_of(submission.body["model"])
        job = _new_job(submission, provider, max_in_flight)
        if submission.caller_key is None:
            return job
        return replace(job, caller_key=self._vault.seal(job.id, submission.caller_key))

    def enqueue(self, job: NewJob) -> bool:
        """Store and queue a job; False when its id is taken. Raises as ``submit`` does."""
        if not self._store.create(job, self._queue.message(job.id)):
            return False
        try:
            self._queue.send(job.id)
        except ServiceUnavailable:
            self._store.discard(job)
            raise
        if self._on_queued is not None:
            self._on_queued()
        return True

    def discard(self, job: NewJob) -> None:
        """Take back a job that was enqueued a moment ago."""
        self._store.discard(job)

    def _replayed(self, job: NewJob) -> Submitted:
        record = self._store.get(job.id)
        fingerprint = self._store.fingerprint(job.id)
        if record is None or fingerprint is None:
            # It ended and expired between two commands; the caller's next try makes a new one.
            raise ServiceUnavailable("The job has just expired.", retry_after_seconds=1)
        if fingerprint != job.fingerprint:
            raise IdempotencyMismatch(
                "This idempotency key was used with another body.", param="idempotency-key"
            )
        return Submitted(job.id, record.created_at_ms, record.shape, is_replayed=True)


def _new_job(submission: Submission, provider: str, max_in_flight: int | None) -> NewJob:
    job_id = _job_id(submission)
    created_at_ms = int(time.time() * 1000)
    return NewJob(
        id=job_id,
        owner=submission.owner,
        request=submission.request,
        options=submission.options.to_json(),
        shape=submit_shape(job_id, created_at_ms, submission.body),
        ttl_seconds=submission.ttl_seconds,
        created_at_ms=created_at_ms,
        fingerprint=hashlib.sha256(submission.raw).hexdigest(),
        submission=uuid.uuid4().hex,
        streamed=submission.options.stream,
        batch_id=submission.batch_id,
        webhook=submission.webhook,
        max_running=submission.max_running,
        provider=provider,
        max_in_flight=max_in_flight,
    )


def _job_id(submission: Submission) -> str:
    """A new id; with an idempotency key the one that this caller's key always leads to, so that
    the job's own record remembers the key, for as long as there is a job."""
    if submission.job_id is not None:
        return submission.job_id
    if submission.idempotency_key is None:
        job_id = uuid.uuid4()
    else:
        job_id = uuid.uuid5(_KEYS, f"{submission.owner}\n{submission.idempotency_key}")
    if submission.max_running is None:
        return str(job_id)
    return with_place_of(submission.owner, str(job_id))


def with_place_of(owner: str, new_id: str) -> str:
    """The id, in the partition where all jobs of an owner are whose running jobs are counted."""
    return new_id[:-4] + hashlib.sha256(owner.encode()).hexdigest()[:4]
