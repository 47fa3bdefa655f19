"""What the gateway adds to a provider's answer, whole or event by event. Pure.

The provider's bytes stay as they came wherever nothing in them must change: the additions are
spliced in front of the last brace.
"""

import time
from dataclasses import dataclass
from typing import Any

import orjson

from common.errors import MuninnError

REQUEST_TYPE = "responses"
_END_OF_TIME = 2**53


@dataclass(frozen=True, slots=True)
class Exchange:
    """Who is asked for what: what ``extra_fields`` of an answer are made of."""

    provider: str
    model_requested: str
    model_deployment: str
    started: float  # time.monotonic()

    def extra_fields(self) -> dict[str, Any]:
        """The fields that every answer carries; ``latency`` in milliseconds."""
        return {
            "request_type": REQUEST_TYPE,
            "provider": self.provider,
            "model_requested": self.model_requested,
            "model_deployment": self.model_deployment,
            "latency": round((time.monotonic() - self.started) * 1000),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: the bytes to send, the headers to pass on, the response parsed as the
    provider gave it, what it cost by our price list, and who gave it."""

    body: bytes
    headers: dict[str, str]
    response: dict[str, Any]
    cost: dict[str, float] | None = None
    exchange: Exchange | None = None


def decorate(
    response: dict[str, Any],
    raw: bytes,
    extra_fields: dict[str, Any],
    cost: dict[str, float] | None = None,
) -> bytes:
    """The answer as the caller gets it: with ``output_text`` and ``extra_fields``.

    ``response`` is ``raw`` parsed; what servers leave out or write differently than the reference
    page is put right in it.
    """
    additions: dict[str, Any] = {"output_text": output_text(response), "extra_fields": extra_fields}
    repairs = _repairs(response)
    if cost is not None:
        repairs["usage"] = response["usage"] | {"cost": cost}
    if repairs or not additions.keys().isdisjoint(response):
        return orjson.dumps(response | repairs | additions)
    return splice(raw, additions)


def splice(raw: bytes, additions: dict[str, Any]) -> bytes:
    """The bytes of a non-empty JSON object with more members at its end."""
    return b"%b,%b" % (raw[: raw.rindex(b"}")].rstrip(), orjson.dumps(additions)[1:])


def output_text(response: dict[str, Any]) -> str:
    """The joined text of all messages, as the SDKs join it."""
    texts: list[str] = []
    for item in _objects(response.get("output")):
        if item.get("type") == "message":
            parts = _objects(item.get("content"))
            texts += [_text(part) for part in parts if part.get("type") == "output_text"]
    return "".join(texts)


def _text(part: dict[str, Any]) -> str:
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _repairs(response: dict[str, Any]) -> dict[str, Any]:
    repairs: dict[str, Any] = {}
    if response.get("object") != "response":
        repairs["object"] = "response"
    if not isinstance(response.get("output"), list):
        repairs["output"] = []  # both SDKs break on a missing or null output
    if not isinstance(response.get("status"), str):
        # A poll is repeated until the status is a final one.
        repairs["status"] = "failed" if response.get("error") else "completed"
    return repairs | whole_times(response)


def error_event(error: MuninnError, sequence_number: int) -> dict[str, Any]:
    """The event that ends a stream which cannot go on.

    It says everything twice, flat as OpenAI's type has it and nested as its SDKs look for it to
    raise an exception.
    """
    fault = {"code": error.code, "message": error.message, "param": error.param}
    nested = {"type": error.type, **fault}
    return {"type": "error", **fault, "error": nested, "sequence_number": sequence_number}


def whole_times(response: dict[str, Any]) -> dict[str, int]:
    """Those of the response's times that a server gave with fractions, as whole seconds."""
    times = {name: response.get(name) for name in ("created_at", "completed_at")}
    return {
        name: int(value) if abs(value) < _END_OF_TIME else 0  # JSON has no larger whole numbers
        for name, value in times.items()
        if isinstance(value, float)
    }
