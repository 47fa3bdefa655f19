"""A job as a Response object: the only way a job is shown on the Responses routes. Pure."""

from typing import Any

import orjson

from common.answers import REQUEST_TYPE
from common.jobs import JobRecord, JobStatus

# A job without an answer is shown with the parameters it was submitted with, as OpenAI shows its
# own background responses; these stand in for those that were left to their default.
_DEFAULTS: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": None,
    "safety_identifier": None,
    "service_tier": "auto",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "truncation": "disabled",
}


def submit_shape(job_id: str, created_at_ms: int, body: dict[str, Any]) -> bytes:
    """The Response object of a job that was just submitted, as JSON."""
    given = {name: body[name] for name in _DEFAULTS if body.get(name) is not None}
    return orjson.dumps(
        {
            "id": job_id,
            "object": "response",
            "status": JobStatus.QUEUED.value,
            "created_at": created_at_ms // 1000,
            "completed_at": None,
            "model": body["model"],
            "background": True,
            "output": [],
            "error": None,
            "incomplete_details": None,
            "usage": None,
            **_DEFAULTS,
            **given,
        }
    )


def response_view(record: JobRecord) -> bytes:
    """The job as it stands: the provider's answer if there is one, the submit shape if not."""
    if record.result is not None:
        return record.result
    if record.status is JobStatus.QUEUED and record.error is None:
        return record.shape
    shape = orjson.loads(record.shape)
    shape["status"] = record.status.value
    if record.partial is not None and record.status is JobStatus.IN_PROGRESS:
        shape["output"] = orjson.loads(record.partial)["output"]
    if record.status is JobStatus.FAILED:
        shape["error"] = _error(record.error)
    if record.attempts:
        shape["extra_fields"] = _attempts(record)
    return orjson.dumps(shape)


def _attempts(record: JobRecord) -> dict[str, Any]:
    """How often the job was started, and when it will be again if its provider has failed."""
    fields: dict[str, Any] = {"request_type": REQUEST_TYPE, "attempts": record.attempts}
    if record.next_attempt_at_ms is not None:
        fields["next_attempt_at"] = record.next_attempt_at_ms // 1000
    return fields


def _error(error: dict[str, Any] | None) -> dict[str, Any]:
    error = error or {}
    return {
        "code": str(error.get("code") or "server_error"),
        "message": str(error.get("message") or "The job failed."),
    }
