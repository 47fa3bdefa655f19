"""Submitting many requests at once: ordinary jobs, and a batch that knows them all."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

from common.errors import MuninnError, ServiceUnavailable
from common.jobs import NewJob
from common.store.batches import Batch, BatchItem, BatchStore
from common.submission import Submission, Submitter, with_place_of


class BatchSubmitter:
    """Turns lists of submissions into batches."""

    def __init__(self, batches: BatchStore, submitter: Submitter) -> None:
        self._batches = batches
        self._submitter = submitter

    def submit(
        self, owner: str, items: Sequence[tuple[str, Submission]], webhook: str | None = None
    ) -> Batch:
        """The new batch, all its jobs safely queued; each item is a custom id and a submission.

        ``webhook`` names the endpoint that is told when the last job has ended.

        Raises what ``Submitter.submit`` raises, and then nothing remains.
        """
        batch_id = str(uuid.uuid4())
        if any(submission.max_running is not None for _, submission in items):
            batch_id = with_place_of(owner, batch_id)
        jobs = [(name, self._submitter.prepare(_in_batch(batch_id, item))) for name, item in items]
        batch = Batch(
            id=batch_id,
            owner=owner,
            created_at_ms=int(time.time() * 1000),
            items=[BatchItem(name, job.id) for name, job in jobs],
            webhook=webhook,
        )
        self._batches.create(batch)
        try:
            self._enqueue_all([job for _, job in jobs])
        except MuninnError:
            self._forget(batch)
            raise
        return batch

    def _enqueue_all(self, jobs: Sequence[NewJob]) -> None:
        done: list[NewJob] = []
        try:
            for job in jobs:
                self._submitter.enqueue(job)
                done.append(job)
        except MuninnError:
            for job in done:
                self._submitter.discard(job)
            raise

    def _forget(self, batch: Batch) -> None:
        try:
            self._batches.delete(batch.id)
        except ServiceUnavailable:
            return  # it expires by itself


def _in_batch(batch_id: str, submission: Submission) -> Submission:
    """The submission with an id in the partition of its batch."""
    job_id = str(uuid.uuid4())[:-4] + batch_id[-4:]
    return replace(submission, job_id=job_id, batch_id=batch_id)
