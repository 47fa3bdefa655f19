"""The jobs, in Redis. Every status change and time to live is decided here and in the scripts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import redis

from common.errors import InternalError, RateLimited, ServiceUnavailable
from common.jobs import Claim, Ending, JobRecord, JobStatus, NewJob
from common.store.clock import StoreClock
from common.store.connection import SOCKET_TIMEOUT_SECONDS
from common.store.discards import Discards
from common.store.gates import gate_fields, newest_bounds
from common.store.keys import Keys
from common.store.pressure import MemoryPressure
from common.store.records import FIELDS, claim_of, is_given_up, new_job_fields, record_of
from common.store.scripts import Argument, Scripts, store_errors

QUEUE_FULL_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What the store holds to. Milliseconds and bytes as named."""

    lease_ms: int = 30_000
    max_queued_jobs: int = 100_000
    keep_input_bytes: int = 65_536
    max_memory_bytes: int = 0
    longest_life_ms: int = 9 * 24 * 3_600_000
    queue_deadline_ms: int = 24 * 3_600_000
    run_deadline_ms: int = 1_800_000


class JobStore:
    """All there is to do with a job. Every method raises ServiceUnavailable when Redis is away."""

    def __init__(self, client: "redis.Redis", keys: Keys, limits: StoreLimits) -> None:
        self.client = client
        self.keys = keys
        self.limits = limits
        self.scripts = Scripts(client)
        self._clock = StoreClock()
        self._discards = Discards(self._discard)
        self._pressure = MemoryPressure(client, limits.max_memory_bytes)
        # Called for each job that ``cancel`` itself has ended.
        self.on_cancelled: Callable[[], None] = _nothing

    def ping(self) -> None:
        with store_errors():
            self.client.ping()

    def create(self, job: NewJob, message: bytes = b"") -> bool:
        """Store a queued job and its message in one step. False when its id is taken already.

        Raises RateLimited when the queue or the store is full. After ServiceUnavailable nothing
        remains.
        """
        args: list[Argument] = [
            job.id,
            message,
            self.limits.max_queued_jobs,
            self._clock.in_ms(SOCKET_TIMEOUT_SECONDS),
            *self._lists_of(job),
            self.limits.longest_life_ms,
            newest_bounds(job, self.keys),
            *new_job_fields(job),
            *self._batch_field(job),
            *gate_fields(job, self.keys),
        ]
        with store_errors():
            self._pressure.check()
        try:
            outcome, now_ms, *known = self.scripts.run("create", self.keys.of_script(job.id), args)
        except ServiceUnavailable:
            self._discards.later(job.id, job.submission)  # its caller has waited long enough
            raise
        self._clock.learn(now_ms)
        return self._was_created(outcome, known, job)

    def _lists_of(self, job: NewJob) -> tuple[str, str]:
        partition = self.keys.partition_of(job.id)
        all_owned = self.keys.all_owned(partition) if job.owner else ""
        return self.keys.owned(job.owner, partition), all_owned

    def _batch_field(self, job: NewJob) -> list[Argument]:
        return ["batch", self.keys.batch(job.batch_id)] if job.batch_id else []

    def _was_created(self, outcome: bytes, known: Sequence[bytes], job: NewJob) -> bool:
        match outcome:
            case b"created":
                return True
            case b"exists":
                return known[1] == job.submission.encode()
            case b"full":
                raise RateLimited(
                    "The queue of waiting jobs is full.",
                    code="queue_full",
                    retry_after_seconds=QUEUE_FULL_RETRY_SECONDS,
                )
            case b"late":
                raise ServiceUnavailable("The job store is too slow.", retry_after_seconds=2)
        raise InternalError(f"the job store answered {outcome!r}")

    def discard(self, job: NewJob) -> None:
        """Take back a job whose submit failed, as soon as the store can be reached."""
        self._discards.add(job.id, job.submission)

    def _discard(self, job_id: str, submission: str) -> None:
        self.scripts.run("discard", self.keys.of_script(job_id), [job_id, submission])

    def get(self, job_id: str) -> JobRecord | None:
        """The record of a job, by the job's id."""
        return self._read(job_id)[0]

    def find_by_response(self, response_id: str) -> JobRecord | None:
        """The record of the job whose answer has this id at the provider."""
        with store_errors():
            job_id = self.client.get(self.keys.alias(response_id))
        if not isinstance(job_id, bytes):
            return None
        record, was_an_attempts = self._read(job_id.decode(), f"alias:{response_id}")
        is_its = record is not None and record.response_id == response_id
        return record if is_its or was_an_attempts else None

    def _read(self, job_id: str, *more: str) -> tuple[JobRecord | None, bytes | None]:
        """The record, and the value of one more field."""
        with store_errors():
            values: list[Any] = self.client.hmget(self.keys.job(job_id), [*FIELDS, *more])
        return record_of(job_id, values[: len(FIELDS)]), values[-1] if more else None

    def fingerprint(self, job_id: str) -> str | None:
        """The fingerprint of a stored job's request."""
        with store_errors():
            value = self.client.hget(self.keys.job(job_id), "fingerprint")
        return value.decode() if isinstance(value, bytes) else None

    def request_of(self, job_id: str) -> bytes | None:
        """The request body of a job, as long as it is kept."""
        with store_errors():
            value = self.client.hget(self.keys.job(job_id), "request")
        return value if isinstance(value, bytes) else None

    def claim(self, job_id: str, token: str, message: bytes = b"") -> Claim | None:
        """Take a queued job for a new attempt, or None when it is not to be had.

        ``token`` makes asking twice harmless; it is new for each message received. A job whose key
        runs as many as it may, or whose provider has as many calls, is not to be had either: it
        waits, and gets ``message`` (see ``JobQueue.message``) when its turn comes.
        """
        limits = self.limits
        args: list[Argument] = [job_id, token, limits.lease_ms, message]
        args += [limits.queue_deadline_ms, limits.run_deadline_ms]
        claimed = self.scripts.run("claim", self.keys.of_script(job_id), args)
        return claim_of(job_id, token, *claimed) if claimed else None

    def note_upstream(self, claim: Claim, upstream_id: str) -> bool:
        """Remember the response that was started at the provider, for the attempts to come."""
        args: list[Argument] = [claim.token, upstream_id]
        seconds = self.limits.longest_life_ms // 1000
        alias = ("SET", self.keys.alias(upstream_id), claim.job_id, "EX", seconds)
        keys = self.keys.of_script(claim.job_id)
        return bool(self.scripts.run_after(alias, "note_upstream", keys, args))

    def abandoned_upstream(self, job_id: str) -> tuple[bytes, str] | None:
        """Shape and upstream id of a job that was given up while a provider works on it."""
        fields = ["status", "shape", "upstream_id", "error"]
        with store_errors():
            values: list[Any] = self.client.hmget(self.keys.job(job_id), fields)
        status, shape, upstream_id, error = values
        if upstream_id is None or not is_given_up(status, error):
            return None
        return shape, upstream_id.decode()

    def finish(self, claim: Claim, ending: Ending) -> bool:
        """End the job. False when that was not for this attempt to do (any more)."""
        args: list[Argument] = [
            claim.job_id,
            claim.token,
            claim.created_at_ms,
            ending.status.value,
            self.limits.keep_input_bytes,
            ending.usage.input_tokens,
            ending.usage.output_tokens,
            ending.usage.nano_dollars,
        ]
        if ending.result is not None:
            args += ["result", ending.result]
        if ending.error is not None:
            args += ["error", orjson.dumps(ending.error)]
        keys = self.keys.of_script(claim.job_id)
        if ending.response_id is None:
            return bool(self.scripts.run("finish", keys, args))
        args += ["response_id", ending.response_id]
        # First the alias: it is believed only where the record agrees, and ends by itself.
        alias = ("SET", self.keys.alias(ending.response_id), claim.job_id, "EX", claim.ttl_seconds)
        return bool(self.scripts.run_after(alias, "finish", keys, args))

    def release(
        self,
        claim: Claim,
        message: bytes,
        *,
        delay_seconds: float = 0.0,
        error: dict[str, Any] | None = None,
    ) -> bool:
        """Give the job back: to the queue now, or to be tried again after a delay.

        With an error the attempt counts as a failure of the provider. False when the job was not
        this attempt's to give.
        """
        args: list[Argument] = [claim.job_id, claim.token, int(delay_seconds * 1000), message]
        if error is not None:
            args += ["failures", claim.failures + 1, "error", orjson.dumps(error)]
        return bool(self.scripts.run("release", self.keys.of_script(claim.job_id), args))

    def pass_on(self, job_id: str, message: bytes) -> bool:
        """A new message for a waiting job whose old one is not acted on; False if it waits not."""
        args: list[Argument] = [job_id, "taken", "inf", message]
        return bool(self.scripts.run("requeue", self.keys.of_script(job_id), args) == b"requeued")

    def heartbeat(self, held: Sequence[tuple[str, str]], *, renew: bool) -> set[str]:
        """Renew the leases of these (job id, claim token), or only look; the tokens that no longer
        hold their job.

        One round trip for each partition, however many jobs.
        """
        lost: set[str] = set()
        by_partition: dict[int, list[tuple[str, str]]] = {}
        for job_id, token in held:
            by_partition.setdefault(self.keys.partition_of(job_id), []).append((job_id, token))
        for partition, jobs in by_partition.items():
            lost |= self._heartbeat_of_partition(partition, jobs, renew)
        return lost

    def _heartbeat_of_partition(
        self, partition: int, jobs: list[tuple[str, str]], renew: bool
    ) -> set[str]:
        records = [self.keys.job(job_id) for job_id, _ in jobs]
        keys = [records[0], *self.keys.indexes(partition), *records]
        args: list[Argument] = [self.limits.lease_ms if renew else 0]
        for job in jobs:
            args += job
        return {token.decode() for token in self.scripts.run("heartbeat", keys, args)}

    def cancel(self, job_id: str, message: bytes = b"") -> JobStatus | None:
        """Cancel a job that has not ended; the status afterwards, None when there is no job.

        ``message`` brings a worker if a provider is to be told of it and none runs the job.
        """
        args: list[Argument] = [job_id, self.limits.keep_input_bytes, message]
        answer = self.scripts.run("cancel", self.keys.of_script(job_id), args)
        if isinstance(answer, list):
            self.on_cancelled()
            return JobStatus.CANCELLED
        return JobStatus(answer.decode()) if answer else None

    def delete(self, job_id: str) -> bool:
        """Remove a job, running or not, and all that belongs to it."""
        return bool(self.scripts.run("delete", self.keys.of_script(job_id), [job_id]))


def _nothing() -> None:
    """What is done where nobody wants to know."""
