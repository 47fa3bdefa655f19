"""What is being worked on: fields that go beside every line logged meanwhile. Pure.

They belong to the thread that works, so a line from deep inside a provider call says which request
or which attempt of which job it is about, and nobody has to hand ids down to it.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

_fields: ContextVar[dict[str, Any] | None] = ContextVar("muninn_log_fields", default=None)
_NONE: Mapping[str, Any] = {}


class bound:
    """``with bound(job_id=…):`` lines logged inside carry these fields, and those from outside."""

    __slots__ = ("_given", "_token")

    def __init__(self, **fields: Any) -> None:
        self._given = fields

    def __enter__(self) -> None:
        self._token = _fields.set({**(_fields.get() or _NONE), **self._given})

    def __exit__(self, *_: object) -> None:
        _fields.reset(self._token)


def start_afresh(fields: dict[str, Any]) -> None:
    """From here on this thread works on something new; ``note`` adds to this very dictionary."""
    _fields.set(fields)


def leave() -> None:
    """This thread is done with what it was working on."""
    _fields.set(None)


def note(**fields: Any) -> None:
    """Add to the fields of what is being worked on, once they are known."""
    known = _fields.get()
    if known is not None:
        known.update(fields)


def noted() -> Mapping[str, Any]:
    """The fields of what this thread is working on."""
    return _fields.get() or _NONE


def request_id() -> str | None:
    """The id of the request that is being worked on, if it is one."""
    found = noted().get("request_id")
    return found if isinstance(found, str) else None
