"""How one line of the log looks: as text for people, or as one JSON object. Pure.

Our calls are ``log.info("job ended: job_id=%s attempt=%d", …)``: a message that never changes and
fields beside it. Here the two are told apart again, with the types of the fields kept, so that a
program can count the one and search for the other.
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from common.log_context import noted

LONGEST_TEXT = 4096
# The end of a stack says where it failed.
LONGEST_STACK = 16_384

_PAIR = r"(\w+)=(%[-+ #0]*\d*(?:\.\d+)?[sdifr])"
_TEMPLATE = re.compile(rf"([^%]*?):? ((?:{_PAIR})(?: {_PAIR})*)")
_EACH_PAIR = re.compile(_PAIR)
_NONE: Mapping[str, Any] = {}
_PLAIN = re.compile(r"[^\s\"=]+")

Mask = Callable[[str], str]
Source = Callable[[], Mapping[str, Any]]


class LineFormatter(logging.Formatter):
    """What both forms have in common.

    ``mask`` takes secrets out of any text; ``more`` gives fields that are asked for with each line.
    """

    def __init__(self, mask: Mask = str, more: Source = dict) -> None:
        super().__init__()
        self._mask = mask
        self._more = more

    def _parts(self, record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
        """The message, and all that goes beside it; what the line itself says wins."""
        message, fields = message_and_fields(record)
        beside = {**self._more(), **noted(), **fields}
        return self._clean(message), {n: self._value(v) for n, v in beside.items() if v is not None}

    def _value(self, value: Any) -> Any:
        return value if isinstance(value, bool | int | float) else self._clean(str(value))

    def _clean(self, text: str) -> str:
        text = self._mask(text)
        return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"

    def _stack(self, record: logging.LogRecord) -> str | None:
        """Where it failed: files, lines and the exception's text, and no values of variables."""
        if not record.exc_info or record.exc_info[0] is None:
            return None
        return self._mask(self.formatException(record.exc_info))[-LONGEST_STACK:]


class JsonFormatter(LineFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        message, fields = self._parts(record)
        if (stack := self._stack(record)) is not None:
            fields |= {"exception": _kind(record), "stack": stack}
        level = record.levelname.lower()
        return json_line(record.created, level, record.name, message, fields)


class TextFormatter(LineFormatter):
    """``time LEVEL logger: message: name=value …``; a stack follows on lines set in from the
    left, so that no text in it passes for a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        message, fields = self._parts(record)
        beside = " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
        line = f"{rfc3339(record.created)} {record.levelname} {record.name}: {printable(message)}"
        line = f"{line}: {beside}" if beside else line
        if (stack := self._stack(record)) is not None:
            line += "".join(f"\n    {printable(each)}" for each in stack.splitlines())
        return line


def json_line(
    at_seconds: float, level: str, logger: str, message: str, fields: Mapping[str, Any] = _NONE
) -> str:
    """A line as JSON, without its end."""
    line = {"time": rfc3339(at_seconds), "level": level, "logger": logger, "message": message}
    # No field passes for one of these.
    whole = {**line, **fields, **line} if fields else line
    return _one_line(orjson.dumps(_encodable(whole)).decode())


def message_and_fields(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    """A record's constant message and its fields; of a line made otherwise its text, and none."""
    arguments = record.args
    if isinstance(record.msg, str) and isinstance(arguments, tuple) and arguments:
        shape = _shape(record.msg)
        if shape is not None and len(shape[1]) == len(arguments):
            pairs = zip(shape[1], arguments, strict=True)
            return shape[0], {name: _as(spec, value) for (name, spec), value in pairs}
    return _text_of(record), {}


@lru_cache(maxsize=1024)
def _shape(template: str) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    found = _TEMPLATE.fullmatch(template)
    return None if found is None else (found[1], tuple(_EACH_PAIR.findall(found[2])))


def _as(spec: str, value: Any) -> Any:
    """A field's value, as exact as its line asks for."""
    return float(spec % value) if isinstance(value, float) and spec.endswith("f") else value


def _text_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)  # arguments that do not fit; the line is worth more than nothing


def rfc3339(seconds: float) -> str:
    """A time as ``2026-11-22T17:03:04.005Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _kind(record: logging.LogRecord) -> str:
    kind = record.exc_info[0] if record.exc_info else None
    return kind.__qualname__ if kind is not None else ""


def printable(text: str) -> str:
    """The text with everything escaped that could end a line, move a cursor or turn the direction
    of writing."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _shown(value: Any) -> str:
    text = str(value)
    if isinstance(value, str) and not _PLAIN.fullmatch(text):
        text = orjson.dumps(_encodable(text)).decode()
    return printable(text)


def _one_line(encoded: str) -> str:
    """JSON without the few characters that it may hold and a terminal obeys."""
    if encoded.isprintable():
        return encoded
    return "".join(c if c.isprintable() else _in_json(c) for c in encoded)


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _encodable(value: Any) -> Any:
    """The same without halves of surrogate pairs, which no encoding has."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(each) for name, each in value.items()}
    return value
