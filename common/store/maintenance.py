"""Finds the jobs that need looking after, at a cost that grows with their number alone.

Safe to run anywhere, any number of times at once: each step is a compare-and-set on one job, so
the work is done once. A job that is really running is touched only when its lease has run out.
"""

import logging
from collections.abc import Callable
from typing import Any

import orjson
import redis

from common.errors import DeadlineExceeded, InternalError, MuninnError, WorkerLost
from common.job_errors import error_fields
from common.store.job_store import JobStore
from common.store.keys import partition_in
from common.store.scripts import store_errors

log = logging.getLogger(__name__)

BATCH = 200

Message = Callable[[str], bytes]


class JobMaintenance:
    """The looking after. ``message`` builds a job's queue message; see ``JobQueue.message``.

    Each method returns the ids it acted on, so that they can be counted, and sent where the
    broker is not the store.
    """

    def __init__(self, store: JobStore, message: Message) -> None:
        self._store = store
        self._message = message

    @property
    def _client(self) -> "redis.Redis":
        return self._store.client

    def now_ms(self) -> int:
        """The server's time."""
        with store_errors():
            seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    def rescue(self, now_ms: int, max_attempts: int) -> dict[str, str]:
        """Jobs whose lease ran out: what became of each, ``requeued`` or ``failed``."""
        error = _stored(WorkerLost("The workers that ran this job were lost."))
        keep = self._store.limits.keep_input_bytes
        outcomes = {}
        for job_id in due_jobs(self._store, "running", now_ms):
            args = [job_id, self._message(job_id), max_attempts, error, keep]
            outcomes[job_id] = self._run("rescue", job_id, args)
        return {job_id: was for job_id, was in outcomes.items() if was in ("requeued", "failed")}

    def promote_parked(self, now_ms: int) -> list[str]:
        """Parked jobs whose next attempt is due go to the queue."""
        return self._requeue("parked", now_ms)

    def requeue_lost(self, enqueued_before_ms: int) -> list[str]:
        """Queued jobs, enqueued before this time, whose message is gone go to the queue again."""
        return self._requeue("queued", enqueued_before_ms)

    def tend_gates(self, now_ms: int) -> None:
        """See that nobody waits at a gate, or in the line, who could go on."""
        for gate in due_jobs(self._store, "gates", now_ms):
            keys = self._store.keys.of_gates(partition_in(gate))
            self._store.scripts.run("tend", keys, [gate])

    def is_any_queued(self, enqueued_before_ms: int) -> bool:
        """Whether a job that was enqueued before this time still waits."""
        return bool(due_jobs(self._store, "queued", enqueued_before_ms))

    def expire_queued(self, enqueued_before_ms: int) -> list[str]:
        """Jobs that were enqueued before this time and still wait fail."""
        error = _stored(
            DeadlineExceeded("The job waited in the queue for longer than its deadline.")
        )
        keep = self._store.limits.keep_input_bytes
        return [
            job_id
            for index in ("queued", "held")
            for job_id in due_jobs(self._store, index, enqueued_before_ms)
            if self._expire(job_id, [job_id, error, keep, enqueued_before_ms]) == "failed"
        ]

    def _expire(self, job_id: str, args: list[Any]) -> str:
        return self._run("expire", job_id, [*args, self._message(job_id)])

    def enqueued_at_ms(self, job_id: str) -> int | None:
        """When a waiting job was put in the queue; None when it does not wait."""
        key = self._store.keys.index("queued", self._store.keys.partition_of(job_id))
        with store_errors():
            score = self._client.zscore(key, job_id)
        return int(score) if isinstance(score, float) else None

    def counts(self) -> dict[str, int]:
        """How many jobs are queued, running, parked, and held in the line or at a gate."""
        names = ("queued", "running", "parked", "held")
        with store_errors():
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                for partition in range(self._store.keys.partitions):
                    pipe.zcard(self._store.keys.index(name, partition))
            sizes = pipe.execute()
        width = self._store.keys.partitions
        return {name: sum(sizes[i * width : (i + 1) * width]) for i, name in enumerate(names)}

    def _requeue(self, index: str, before_ms: int) -> list[str]:
        return [
            job_id
            for job_id in due_jobs(self._store, index, before_ms)
            if self._run("requeue", job_id, [job_id, index, before_ms, self._message(job_id)])
            == "requeued"
        ]

    def _run(self, script: str, job_id: str, args: list[Any]) -> str:
        """What became of the job; ``broken`` for one whose record the script cannot work with,
        which must not stand in the way of the others."""
        try:
            keys = self._store.keys.of_script(job_id)
            outcome: bytes = self._store.scripts.run(script, keys, args)
        except InternalError:
            log.error("job cannot be looked after: job_id=%s", job_id)
            return "broken"
        return outcome.decode()


def due_jobs(store: JobStore, index: str, before_ms: int) -> list[str]:
    """The members of an index up to a time, the earliest first; so many of each partition."""
    with store_errors():
        pipe = store.client.pipeline(transaction=False)
        for partition in range(store.keys.partitions):
            pipe.zrangebyscore(store.keys.index(index, partition), "-inf", before_ms, 0, BATCH)
        found: list[list[bytes]] = pipe.execute()
    return [job_id.decode() for ids in found for job_id in ids]


def _stored(error: MuninnError) -> bytes:
    return orjson.dumps(error_fields(error))
