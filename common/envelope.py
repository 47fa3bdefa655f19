"""A job in the words of the gateway's own envelope; they differ nowhere else. Pure."""

from datetime import UTC, datetime
from typing import Any

import orjson

from common.jobs import Delivery, JobRecord, JobStatus
from common.masked_settings import mask_url

STATUS_WORDS = {
    JobStatus.QUEUED: "pending",
    JobStatus.IN_PROGRESS: "processing",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
}
STATUS_OF_WORD = {word: status for status, word in STATUS_WORDS.items()}


def envelope(record: JobRecord) -> dict[str, Any]:
    """The job as ``/v1/async/responses/{id}`` shows it; ready for orjson."""
    shown = summary(record)
    if record.result is not None:
        shown["result"] = orjson.Fragment(record.result)
    return shown


def summary(record: JobRecord) -> dict[str, Any]:
    """The same without the answer, as the list of jobs shows it."""
    shape = orjson.loads(record.shape)
    shown: dict[str, Any] = {
        "id": record.id,
        "status": STATUS_WORDS[record.status],
        "created_at": timestamp(record.created_at_ms),
        "model": shape.get("model"),
        "metadata": shape.get("metadata") or {},
        "attempts": record.attempts,
        "streamed": record.streamed,
    }
    times = {
        "started_at": record.started_at_ms,
        "next_attempt_at": record.next_attempt_at_ms,
        "completed_at": record.completed_at_ms,
        "expires_at": record.expires_at_ms,
    }
    shown |= {name: timestamp(at_ms) for name, at_ms in times.items() if at_ms is not None}
    if record.delivery is not None:
        shown["webhook"] = _webhook(record.delivery)
    return shown | _ending(record)


def _webhook(delivery: Delivery) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "endpoint": mask_url(delivery.target),
        "status": delivery.state.value,
        "attempts": delivery.attempts,
        "last_status_code": delivery.last_status,
        "last_error": delivery.last_error,
    }
    times = {
        "next_attempt_at": delivery.next_attempt_at_ms,
        "delivered_at": delivery.delivered_at_ms,
    }
    return shown | {name: timestamp(at_ms) for name, at_ms in times.items() if at_ms is not None}


def _ending(record: JobRecord) -> dict[str, Any]:
    if record.status is JobStatus.COMPLETED:
        return {"status_code": 200}
    if record.status is JobStatus.FAILED:
        error = record.error or {}
        fault = {name: error.get(name) for name in ("type", "code", "message", "param")}
        return {"status_code": error.get("status_code") or 200, "error": fault}
    return {}


def timestamp(at_ms: int) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"
