"""The bodies that the benchmark sends and answers.

What the mock provider shall do stands in the request's input, so that any gateway passes it on:
``[[size delay_ms events gap_ms]]``.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache

KIB = 1024
SIZES = {"2 KB": 2 * KIB, "100 KB": 100 * KIB, "1 MB": 1024 * KIB}
MODEL = "bench"
ANSWER_ID = "resp_bench_0001"

_ORDER = re.compile(rb"\[\[(\d+) (\d+) (\d+) (\d+)\]\]")
_ORDER_WITHIN_BYTES = 4 * KIB


@dataclass(frozen=True, slots=True)
class Order:
    """What the mock shall answer: a body of ``size`` bytes, or a stream of ``events``.

    The answer, or the stream's first event, comes after ``delay_ms``; each further event comes
    ``gap_ms`` after the one before, or all at once when that is 0.
    """

    size: int = 2 * KIB
    delay_ms: int = 0
    events: int = 0
    gap_ms: int = 0

    @property
    def marker(self) -> str:
        return f"[[{self.size} {self.delay_ms} {self.events} {self.gap_ms}]]"


@lru_cache(maxsize=256)
def _order_of_marker(found: tuple[bytes, ...]) -> Order:
    return Order(*map(int, found))


def order_in(request: bytes) -> Order:
    """The order in the body of a request; the default one if there is none."""
    found = _ORDER.search(request, 0, _ORDER_WITHIN_BYTES)
    return _order_of_marker(found.groups()) if found else Order()


def request_body(order: Order, model: str = MODEL, size: int = 0) -> bytes:
    """A create request of about ``size`` bytes (at least what it takes) with the order in it."""
    body = {"model": model, "input": order.marker}
    if order.events:
        body["stream"] = True  # type: ignore[assignment]
    body["input"] += "b" * max(0, size - len(json.dumps(body)))
    return json.dumps(body).encode()


def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 request."""
    fields = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer_body(size: int) -> bytes:
    """A finished response of ``size`` bytes, or a little more if that is very small."""
    frame = json.dumps(_response("completed", "")).encode()
    text = "a" * max(1, size - len(frame))
    return json.dumps(_response("completed", text)).encode()


def stream_events(count: int) -> list[bytes]:
    """A stream of ``count`` events (nine at least), each as the bytes of its SSE block."""
    words = max(1, count - 8)
    deltas = ["Words of the day, "[: 6 + number % 12] for number in range(words)]
    text = "".join(deltas)
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant"}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    started = {**item, "status": "in_progress", "content": []}
    ended = {**item, "status": "completed", "content": [{**part, "text": text}]}
    events: list[tuple[str, dict[str, object]]] = [
        ("response.created", {"response": _response("in_progress", "")}),
        ("response.in_progress", {"response": _response("in_progress", "")}),
        ("response.output_item.added", {"output_index": 0, "item": started}),
        ("response.content_part.added", {**place, "part": part}),
        *(("response.output_text.delta", {**place, "delta": delta}) for delta in deltas),
        ("response.output_text.done", {**place, "text": text}),
        ("response.content_part.done", {**place, "part": {**part, "text": text}}),
        ("response.output_item.done", {"output_index": 0, "item": ended}),
        ("response.completed", {"response": _response("completed", text)}),
    ]
    return [_event(number, kind, fields) for number, (kind, fields) in enumerate(events)]


def _event(number: int, kind: str, fields: dict[str, object]) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _response(status: str, text: str) -> dict[str, object]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    is_done = status == "completed"
    return {
        "id": ANSWER_ID,
        "object": "response",
        "created_at": 1_760_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": MODEL,
        "output": [{**message, "content": content}] if is_done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _USAGE if is_done else None,
        "user": None,
        "metadata": {},
    }


_USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 34,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 46,
}
