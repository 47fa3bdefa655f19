"""The events of a job's stream: a provider's in their place, and those of the gateway's own. Pure.

A stream is about one response with one id, the job's own, whatever an attempt's response is called
at the provider: the SDKs take another id for an error.
"""

from typing import Any

import orjson

from common.answers import REQUEST_TYPE
from common.job_views import response_view
from common.jobs import JobRecord, JobStatus

# After ``response.created`` and ``response.queued``.
FIRST_STORED_SEQUENCE = 2

_CLOSING = {"completed": "response.completed", "incomplete": "response.incomplete"}
_WHO_SERVED = ("provider", "model_requested", "model_deployment")


def as_job_event(event: dict[str, Any], job_id: str, sequence: int) -> dict[str, Any]:
    """An event in its place in a job's stream."""
    extra_fields = (event.get("extra_fields") or {}) | {"chunk_index": sequence}
    shown = event | {"sequence_number": sequence, "extra_fields": extra_fields}
    if isinstance(event.get("response"), dict):
        shown["response"] = event["response"] | {"id": job_id}
    return shown


def opening_events(shape: bytes) -> list[dict[str, Any]]:
    """The two events that every job's stream begins with."""
    response = orjson.loads(shape) | {"status": JobStatus.QUEUED.value}
    return [
        _own_event(kind, response, sequence)
        for sequence, kind in enumerate(("response.created", "response.queued"))
    ]


def restarted_event(shape: bytes, attempt: int, sequence: int) -> dict[str, Any]:
    """Tells readers that all events before it are void: another attempt starts from the first."""
    response = orjson.loads(shape) | {"status": JobStatus.QUEUED.value}
    return _own_event("response.queued", response, sequence, restarted=True, attempt=attempt)


def snapshot_event(
    record: JobRecord, output: list[dict[str, Any]], sequence: int
) -> dict[str, Any]:
    """Stands for events that are not kept any more: the output as it was after them."""
    response = orjson.loads(record.shape)
    response |= {"status": JobStatus.IN_PROGRESS.value, "output": output}
    return _own_event("response.in_progress", response, sequence, snapshot=True)


def closing_event(record: JobRecord) -> dict[str, Any]:
    """The end of a streamed job. It is made from the record, so that nobody is told of an end that
    a crash could still undo."""
    response = orjson.loads(response_view(record)) | {"id": record.id}
    kind = _CLOSING.get(str(response.get("status")), "response.failed")
    served = response.get("extra_fields") or {}
    about = {name: served[name] for name in _WHO_SERVED if name in served}
    return _own_event(kind, response, sequence_after(record), **about)


def sequence_after(record: JobRecord) -> int:
    """The number that follows those of the job's stored events."""
    last = record.last_sequence
    return FIRST_STORED_SEQUENCE if last is None else last + 1


def _own_event(
    kind: str, response: dict[str, Any], sequence: int, **extra_fields: Any
) -> dict[str, Any]:
    about = {"request_type": REQUEST_TYPE, "model_requested": response.get("model")}
    return {
        "type": kind,
        "sequence_number": sequence,
        "response": response,
        "extra_fields": {**about, "chunk_index": sequence, **extra_fields},
    }
