"""What a provider's answer means: a response, or an error and which."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from common.errors import ProviderAnsweredError, ProviderInvalidAnswer
from common.nesting import loads_shallow
from common.providers.faults import Fault, fault_in, fault_of, is_html, summary
from common.providers.masking import Mask

_PASSED_ON = frozenset(
    {
        "x-request-id",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "openai-processing-ms",
        "openai-version",
        "openai-model",
        "apim-request-id",
    }
)
_PASSED_ON_PREFIX = "x-ratelimit-"
_MOST_PASSED_ON = 40
_LAST_STATUS = 599  # what lies beyond is no HTTP
_BAD_GATEWAY = 502
_LONGEST_PASSED_ON = 1024
_VISIBLE = re.compile(r"[\x20-\x7e]*", re.ASCII)


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of a provider's headers that clients use, in lower case; not more, longer or odder
    ones than any client reads."""
    lower = {name.lower(): value for name, value in headers.items()}
    used = {
        name: value
        for name, value in lower.items()
        if (name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIX)) and _is_plain(value)
    }
    return used if len(used) <= _MOST_PASSED_ON else dict(islice(used.items(), _MOST_PASSED_ON))


def _is_plain(value: str) -> bool:
    return len(value) <= _LONGEST_PASSED_ON and _VISIBLE.fullmatch(value) is not None


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait; None if it does not, or not in words we know.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after, and OpenAI's ``retry-after-ms``.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def answered_error(
    status: int, headers: Mapping[str, str], body: bytes, mask: Mask
) -> ProviderAnsweredError:
    """The error in an answer of status 4xx or 5xx."""
    fault = fault_in(body, mask)
    if fault is None:
        fault = Fault(f"The provider answered {_named(status)} without a message.")
    elif isinstance(fault.raw, str) and is_html(body):
        fault = fault._replace(message=f"The provider answered {_named(status)} with {fault.raw}")
    return _error(status, headers, fault)


def response_object(body: bytes, headers: Mapping[str, str], mask: Mask) -> dict[str, Any]:
    """The response in a 2xx answer.

    Raises ProviderInvalidAnswer if there is none, and ProviderAnsweredError if the body tells of
    an error all the same, as some gateways answer; its status is the body's code, or 502.
    """
    try:
        response = loads_shallow(body)
    except ValueError:
        raise ProviderInvalidAnswer(_not_json(body, mask)) from None
    if not isinstance(response, dict):
        raise ProviderInvalidAnswer("The provider's answer is JSON but not an object.")
    if "output" in response or response.get("object") == "response":
        return response
    told = mask.value(response)
    fault = fault_of(told.get("error"))
    if fault is None:
        raise ProviderInvalidAnswer("The provider's answer is JSON but not a response: no output.")
    raise _error(_status_in(fault), headers, fault._replace(raw=told))


def redirected(status: int, headers: Mapping[str, str]) -> ProviderInvalidAnswer:
    """The failure that a 3xx is; the place it names is told without credentials or query."""
    place = _place(headers.get("location", ""))
    return ProviderInvalidAnswer(
        f"The provider redirects ({status}) to {place[:200]}; redirects are not followed, so its "
        "base URL must name the final place."
    )


def _place(location: str) -> str:
    try:
        parts = urlsplit(location)
    except ValueError:
        return "nowhere"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path or "nowhere"


def _error(status: int, headers: Mapping[str, str], fault: Fault) -> ProviderAnsweredError:
    return ProviderAnsweredError(
        status if status <= _LAST_STATUS else _BAD_GATEWAY,
        fault.message,
        type=fault.type,
        code=fault.code,
        param=fault.param,
        retry_after_seconds=retry_after_seconds(headers),
        headers=passed_on(headers),
        raw=fault.raw,
    )


def _status_in(fault: Fault) -> int:
    code = fault.code or ""
    return int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 502


def _not_json(body: bytes, mask: Mask) -> str:
    if not body.strip():
        return "The provider's answer is empty."
    kind = "" if is_html(body) else "text: "
    return f"The provider's answer is not JSON but {kind}{summary(body, mask)}"


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None
