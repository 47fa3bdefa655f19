"""How deep JSON may be nested, from callers and from providers. Pure.

orjson reads 1,023 levels and writes 254; Python's own recursion ends in between. What is accepted
must be writable again, also when it is wrapped into a record or an answer.
"""

from typing import Any

import orjson

MAX_DEPTH = 240
_MARGIN = 254 - MAX_DEPTH


def is_too_deep(data: bytes, value: Any) -> bool:
    """Whether the value, which these bytes were parsed to, is nested too deeply."""
    # Counting is nearly free, and only what has many brackets can be deep.
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    for _ in range(_MARGIN):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def loads_shallow(data: bytes) -> Any:
    """The value of JSON bytes. Raises ValueError for what is no JSON, or nested too deeply."""
    value = orjson.loads(data)
    if is_too_deep(data, value):
        raise ValueError("nested too deeply")
    return value
