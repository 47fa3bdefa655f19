"""Calling a front the way curl does, and checking what comes back."""

import json
from collections.abc import Mapping
from typing import Any

import requests

from common.sse import SseDecoder, SseEvent
from tests.support.waiting import wait_until

SECONDS = 30


def post(
    base_url: str, body: Any = None, *, raw: bytes | None = None, **headers: str
) -> requests.Response:
    """``POST …/responses``; keyword ``x_bf_async`` is the header ``x-bf-async``."""
    data = json.dumps(body).encode() if raw is None else raw
    sent = {"content-type": "application/json", **_names(headers)}
    return requests.post(f"{base_url}/responses", data=data, headers=sent, timeout=SECONDS)


def submit(base_url: str, model: str = "echo/hello", **fields: Any) -> str:
    """The id of a new job."""
    answer = post(base_url, {"model": model, "input": "hi", **fields}, x_bf_async="true")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def poll(base_url: str, job_id: str) -> requests.Response:
    return post(base_url, raw=b"", x_bf_async_id=job_id)


def poll_to_the_end(base_url: str, job_id: str, timeout_seconds: float = 30) -> dict[str, Any]:
    """The job's answer as soon as it has ended."""

    def ended() -> dict[str, Any] | None:
        answer = poll(base_url, job_id)
        assert answer.status_code == 200, answer.text
        value: dict[str, Any] = answer.json()
        return None if value["status"] in ("queued", "in_progress") else value

    value = wait_until(ended, f"the job {job_id} ends", timeout_seconds)
    assert value is not None
    return value


def events_of_text(raw: bytes) -> list[SseEvent]:
    return SseDecoder().feed(raw)


def check_error(
    answer: requests.Response, status: int, kind: str, code: str | None, param: str | None = None
) -> dict[str, Any]:
    """The error, after its whole shape was found as the reference page has it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    check_error_shape(body)
    assert body["status_code"] == status
    error = body["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, param), body
    return body


def check_error_shape(body: Mapping[str, Any]) -> None:
    assert list(body) == [
        "event_id", "type", "is_bifrost_error", "status_code", "error", "extra_fields",
    ]  # fmt: skip
    assert list(body["error"]) == ["type", "code", "message", "param", "event_id"]
    assert list(body["extra_fields"]) == ["provider", "model_requested", "request_type"]
    assert body["event_id"] == body["error"]["event_id"]
    assert body["type"] == body["error"]["type"]
    assert body["error"]["message"]
    assert "Traceback" not in json.dumps(body)


def without_ids(body: dict[str, Any]) -> dict[str, Any]:
    """An error without what differs each time."""
    return {**body, "event_id": "", "error": {**body["error"], "event_id": ""}}


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
