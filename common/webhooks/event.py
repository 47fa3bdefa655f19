"""The event that tells of a job's end, in OpenAI's shape, and its signature."""

from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook

from common.jobs import JobRecord
from common.store.batches import Batch
from common.webhooks.endpoints import Endpoint

# What a response's own status may be told as; any other is told by the status of its job.
_TOLD = frozenset({"completed", "failed", "cancelled", "incomplete"})


def event_id(job_id: str) -> str:
    """The same for every delivery of one job, so that a receiver knows it has seen it."""
    return f"evt_{job_id.replace('-', '')}"


def event_of(record: JobRecord) -> bytes:
    """The body that tells of an ended job; the same bytes each time."""
    return orjson.dumps(
        {
            "id": event_id(record.id),
            "object": "event",
            "created_at": (record.completed_at_ms or 0) // 1000,
            "type": f"response.{_ending(record)}",
            "data": {"id": record.id},
        }
    )


def batch_event_of(batch: Batch) -> bytes:
    """The body that tells of the end of a batch's last job."""
    return orjson.dumps(
        {
            "id": event_id(batch.id),
            "object": "event",
            "created_at": (batch.ended_at_ms or 0) // 1000,
            "type": "batch.completed",
            "data": {"id": batch.id},
        }
    )


def _ending(record: JobRecord) -> str:
    response: Any = orjson.loads(record.result) if record.result else {}
    status = response.get("status") if isinstance(response, dict) else None
    is_told = isinstance(status, str) and status in _TOLD
    return str(status) if is_told else record.status.value


def signed_headers(
    endpoint: Endpoint, job_id: str, body: bytes, at_seconds: float
) -> dict[str, str]:
    """The headers of a delivery at this time, signed with every secret of the endpoint.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    at = datetime.fromtimestamp(int(at_seconds), UTC)
    text, message_id = body.decode(), event_id(job_id)
    signatures = [Webhook(secret).sign(message_id, at, text) for secret in endpoint.secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at_seconds)),
        "webhook-signature": " ".join(signatures),
    }
