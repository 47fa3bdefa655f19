"""The input of a request as the list of items that OpenAI's API shows. Pure."""

import hashlib
from typing import Any


def input_items(job_id: str, value: Any) -> list[dict[str, Any]]:
    """The items in the order they were given, each with an id that is the same at each call."""
    given = value if isinstance(value, list) else [] if value is None else [_message(value)]
    items = [item for item in given if isinstance(item, dict)]
    return [_shown(job_id, index, item) for index, item in enumerate(items)]


def _shown(job_id: str, index: int, item: dict[str, Any]) -> dict[str, Any]:
    shown = dict(item)
    if "type" not in shown and "role" in shown:
        shown["type"] = "message"
    if shown.get("type") == "message":
        shown["content"] = _parts(shown.get("role"), shown.get("content"))
        shown.setdefault("status", "completed")
    if not shown.get("id"):
        digest = hashlib.sha256(f"{job_id}/{index}".encode()).hexdigest()
        prefix = "msg" if shown.get("type") == "message" else "item"
        shown["id"] = f"{prefix}_{digest[:48]}"
    return shown


def _message(text: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text}


def _parts(role: Any, content: Any) -> Any:
    if not isinstance(content, str):
        return content
    if role == "assistant":
        return [{"type": "output_text", "text": content, "annotations": [], "logprobs": []}]
    return [{"type": "input_text", "text": content}]
