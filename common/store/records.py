"""Between the fields of a record in Redis and the dataclasses of ``common.jobs``. Pure."""

from collections.abc import Sequence

import orjson

from common.errors import DeadlineExceeded, WorkerLost
from common.jobs import Claim, Delivery, DeliveryState, JobRecord, JobStatus, NewJob

FIELDS = [
    "status",
    "owner",
    "shape",
    "attempt",
    "created_at",
    "started_at",
    "completed_at",
    "expires_at",
    "next_attempt_at",
    "error",
    "response_id",
    "result",
    "streamed",
    "partial",
    "sequence",
    "overtaken",
    "webhook",
    "webhook_state",
    "webhook_attempts",
    "webhook_status",
    "webhook_error",
    "webhook_next_at",
    "webhook_delivered_at",
]
_BEFORE_WEBHOOK = FIELDS.index("webhook")

# All but the answer, which may be long.
SUMMARY_FIELDS = [field for field in FIELDS if field not in ("result", "partial")]


def new_job_fields(job: NewJob) -> list[str | bytes | int]:
    """Field and value, in turn, of the record of a new job."""
    fields: dict[str, str | bytes | int] = {
        "owner": job.owner,
        "request": job.request,
        "options": job.options,
        "shape": job.shape,
        "ttl_seconds": job.ttl_seconds,
        "created_at": job.created_at_ms,
        "fingerprint": job.fingerprint,
        "submission": job.submission,
        "streamed": int(job.streamed),
    }
    if job.webhook is not None:
        fields["webhook"] = job.webhook
    if job.caller_key is not None:
        fields["caller_key"] = job.caller_key
    return [part for item in fields.items() for part in item]


def record_of(job_id: str, values: Sequence[bytes | None]) -> JobRecord | None:
    """The record out of the values of FIELDS; None when there is none."""
    status, owner, shape, attempt, created_at, *rest = values[:_BEFORE_WEBHOOK]
    *times, error, response_id, result, streamed, partial, sequence, overtaken = rest
    if status is None or owner is None or shape is None:
        return None
    started_at, completed_at, expires_at, next_attempt_at = map(_int, times)
    return JobRecord(
        id=job_id,
        status=JobStatus(status.decode()),
        owner=owner.decode(),
        shape=shape,
        attempts=_int(attempt) or 0,
        created_at_ms=_int(created_at) or 0,
        started_at_ms=started_at,
        completed_at_ms=completed_at,
        expires_at_ms=expires_at,
        next_attempt_at_ms=next_attempt_at,
        error=orjson.loads(error) if error else None,
        response_id=response_id.decode() if response_id else None,
        result=result,
        streamed=streamed == b"1",
        partial=partial,
        last_sequence=_int(sequence),
        is_overtaken=overtaken is not None,
        delivery=_delivery_of(values[_BEFORE_WEBHOOK:]),
    )


def _delivery_of(values: Sequence[bytes | None]) -> Delivery | None:
    target, state, attempts, status, error, next_at, delivered_at = values
    if target is None:
        return None
    return Delivery(
        target=target.decode(),
        state=_SETTLED.get(state, DeliveryState.PENDING),
        attempts=_int(attempts) or 0,
        last_status=_int(status or None),
        last_error=error.decode() if error else None,
        next_attempt_at_ms=_int(next_at),
        delivered_at_ms=_int(delivered_at),
    )


# Who has a pending one in hand is the scripts' own business.
_SETTLED: dict[bytes | None, DeliveryState] = {
    b"delivered": DeliveryState.DELIVERED,
    b"given_up": DeliveryState.GIVEN_UP,
}


def summary_of(job_id: str, values: Sequence[bytes | None]) -> JobRecord | None:
    """The record out of the values of SUMMARY_FIELDS; None when there is none."""
    by_name = dict(zip(SUMMARY_FIELDS, values, strict=True))
    return record_of(job_id, [by_name.get(field) for field in FIELDS])


def is_given_up(status: bytes | None, error: bytes | None) -> bool:
    """Whether a job with these in its record ended although its provider may still work on it."""
    if status == JobStatus.CANCELLED.value.encode():
        return True
    if status != JobStatus.FAILED.value.encode() or error is None:
        return False
    return orjson.loads(error).get("code") in (WorkerLost.code, DeadlineExceeded.code)


def claim_of(job_id: str, token: str, now_ms: int, values: Sequence[bytes | None]) -> Claim:
    """The claim out of what the claim script answers."""
    attempt, request, options, created_at, started_at, *rest = values
    failures, ttl_seconds, sequence, shape, streamed, upstream_id, caller_key = rest
    return Claim(
        job_id=job_id,
        token=token,
        attempt=_int(attempt) or 0,
        request=request or b"",
        options=options or b"{}",
        created_at_ms=_int(created_at) or 0,
        started_at_ms=_int(started_at) or 0,
        claimed_at_ms=now_ms,
        failures=_int(failures) or 0,
        ttl_seconds=_int(ttl_seconds) or 0,
        last_sequence=_int(sequence),
        shape=shape or b"",
        streamed=streamed == b"1",
        upstream_id=upstream_id.decode() if upstream_id else None,
        caller_key=caller_key,
    )


def _int(value: bytes | None) -> int | None:
    return int(value) if value is not None else None
