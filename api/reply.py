"""An answer as the handlers give it, before it is anybody's Response class."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

# On every answer that does not say otherwise: nothing in between keeps it, and no browser takes
# what it holds for anything else than it is said to be.
GUARDS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body (bytes, or an iterable of bytes with a ``close``) and headers."""

    status: int
    body: bytes | Iterable[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def json_reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """A value of JSON as an answer."""
    return Reply(status, orjson.dumps(value), headers or {})
