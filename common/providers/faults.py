"""What a provider says went wrong, whatever shape it says it in."""

import html
import re
from typing import Any, NamedTuple

from common.nesting import loads_shallow
from common.providers.masking import Mask

_MAX_MESSAGE_CHARACTERS = 2000
_MAX_TEXT_CHARACTERS = 300
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"\s*(<!doctype|<html|<head|<body|<!--)", re.IGNORECASE)


class Fault(NamedTuple):
    """A provider's error in the words of OpenAI's error object."""

    message: str
    type: str | None = None
    code: str | None = None
    param: str | None = None
    raw: Any = None


def fault_in(body: bytes, mask: Mask) -> Fault | None:
    """The fault that an error body tells, masked; None where it tells nothing."""
    if not body.strip():
        return None
    try:
        parsed = mask.value(loads_shallow(body))
    except ValueError:
        told = summary(body, mask)
        return Fault(told, raw=told)
    fault = fault_of(parsed)
    return fault._replace(raw=parsed) if fault else None


def fault_of(value: Any) -> Fault | None:
    """The fault in a JSON value: ``error``, ``detail`` or ``message``, as objects or as text."""
    if isinstance(value, str):
        return Fault(_short(value, _MAX_MESSAGE_CHARACTERS)) if value.strip() else None
    if isinstance(value, list):
        return _fault_of_list(value)
    if not isinstance(value, dict):
        return None
    for name in ("error", "detail", "errors"):
        if fault := fault_of(value.get(name)):
            return _completed(fault, value)
    message = value.get("message") or value.get("msg") or value.get("error_description")
    fault = fault_of(message) if isinstance(message, str) else None
    if fault is None and (_text(value.get("code")) or _text(value.get("type"))):
        fault = Fault("The provider gave no message with its error.")
    return _completed(fault, value) if fault else None


def summary(body: bytes, mask: Mask) -> str:
    """A line about a body that is no JSON: the title of an HTML page, or the start of a text."""
    text = mask.text(body[:65536].decode("utf-8", "replace"))
    if not is_html(body):
        return _short(text, _MAX_TEXT_CHARACTERS)
    title = _TITLE.search(text)
    # What stood there with entities is a credential only now.
    seen = mask.text(html.unescape(_UNSEEN.sub(" ", title.group(2) if title else text)))
    return f"an HTML page: {_short(seen, _MAX_TEXT_CHARACTERS) or 'without text'}"


def is_html(body: bytes) -> bool:
    """Whether a body is a page for people, such as a proxy's, and no answer."""
    return _HTML.match(body) is not None


def _fault_of_list(values: list[Any]) -> Fault | None:
    """Several faults in one, as FastAPI tells those of validation; `loc` becomes the param."""
    faults = [fault for value in values if (fault := _located(value))]
    if not faults:
        return None
    message = "; ".join(fault.message for fault in faults)
    return faults[0]._replace(message=_short(message, _MAX_MESSAGE_CHARACTERS))


def _located(value: Any) -> Fault | None:
    fault = fault_of(value)
    place = value.get("loc") if isinstance(value, dict) else None
    if fault is None or not isinstance(place, list):
        return fault
    param = ".".join(str(part) for part in place if part != "body")
    return fault._replace(param=param or None, message=f"{param}: {fault.message}".lstrip(": "))


def _completed(fault: Fault, value: dict[str, Any]) -> Fault:
    """The fault with what it lacks taken from the object around it."""
    kind = _text(value.get("type"))
    return fault._replace(
        type=fault.type or (kind if kind != "error" else None),
        code=fault.code or _text(value.get("code")),
        param=fault.param or _text(value.get("param")),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _short(text: str, characters: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= characters else text[: characters - 1] + "…"
