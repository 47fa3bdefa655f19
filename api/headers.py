"""The request headers that speak to the gateway: the one place that knows their names."""

import re
from dataclasses import dataclass
from typing import Any

from api.incoming import Incoming
from common.errors import InvalidValue
from common.inference import CallOptions

ASYNC = "x-bf-async"
ASYNC_ID = "x-bf-async-id"
RESULT_TTL = "x-bf-async-job-result-ttl"
IDEMPOTENCY_KEY = "idempotency-key"
PREFER = "prefer"
REQUEST_ID = "x-request-id"
WEBHOOK = "x-bf-async-webhook"
PROVIDER_KEY = "x-bf-provider-key"
RAW_REQUEST = "x-bf-send-back-raw-request"
RAW_RESPONSE = "x-bf-send-back-raw-response"

# Where a caller's key may stand. The first that is there counts, so that the gateway's own key and
# a provider's can be sent together.
KEY_HEADERS = ("x-bf-vk", "authorization", "x-api-key", "api-key")

LONGEST_IDEMPOTENCY_KEY = 255
LONGEST_WAIT_SECONDS = 60

_WAIT = re.compile(
    r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:$|[,;])", re.ASCII | re.IGNORECASE
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,127}", re.ASCII)
_BEARER = re.compile(r"bearer +(.*)", re.IGNORECASE | re.DOTALL)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class GatewayHeaders:
    """What the ``x-bf-*`` headers of a request ask for."""

    poll_id: str | None
    is_async: bool
    options: CallOptions


def parse_headers(incoming: Incoming) -> GatewayHeaders:
    """Read the headers. Raises InvalidValue naming the one that makes no sense.

    A poll's id wins over everything: then the others are not even looked at.
    """
    poll_id = incoming.header(ASYNC_ID)
    if poll_id is not None:
        return GatewayHeaders(poll_id, False, CallOptions())
    options = CallOptions(
        raw_request=_flag(incoming, RAW_REQUEST), raw_response=_flag(incoming, RAW_RESPONSE)
    )
    return GatewayHeaders(None, _flag(incoming, ASYNC), options)


def credential(incoming: Incoming) -> str | None:
    """The secret that the caller sent; another scheme than Bearer is none."""
    for name in KEY_HEADERS:
        value = bearer(incoming) if name == "authorization" else incoming.header(name)
        if value:
            return value
    return None


def bearer(incoming: Incoming) -> str | None:
    """What ``Authorization`` holds, of the scheme Bearer; None where it holds nothing."""
    found = _BEARER.fullmatch(incoming.header("authorization") or "")
    return (found[1].strip() or None) if found else None


def virtual_key(incoming: Incoming) -> str | None:
    """What the header holds that is for virtual keys alone."""
    return incoming.header(KEY_HEADERS[0]) or None


def result_ttl_seconds(incoming: Incoming, default: int, maximum: int) -> int:
    """How long the result shall live after the job's end; whatever is no positive number is the
    default, and nothing is longer than the maximum."""
    text = incoming.header(RESULT_TTL) or ""
    seconds = int(text) if _WHOLE_NUMBER.fullmatch(text) else 0
    return min(seconds, maximum) if seconds > 0 else default


def idempotency_key(incoming: Incoming) -> str | None:
    """The caller's key for this submit. Raises InvalidValue for one that is empty or too long.

    The server under the front hands on a value outside ASCII as an empty one. To take that for no
    key would be a second paid call when the caller repeats it.
    """
    key = incoming.header(IDEMPOTENCY_KEY)
    if key is not None and not 1 <= len(key) <= LONGEST_IDEMPOTENCY_KEY:
        raise InvalidValue(
            f"The header {IDEMPOTENCY_KEY} takes 1 to {LONGEST_IDEMPOTENCY_KEY} ASCII characters.",
            param=IDEMPOTENCY_KEY,
        )
    return key


def given_request_id(environ: dict[str, Any]) -> str | None:
    """The id that the caller gave this request; one that could not be written anywhere as it
    stands is none."""
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _REQUEST_ID.fullmatch(given) else None


def webhook(incoming: Incoming) -> str | None:
    """Whom the caller wants told of the job's end: an endpoint's name, or a URL."""
    return incoming.header(WEBHOOK) or None


def wait_seconds(incoming: Incoming) -> int:
    """How long the caller would rather wait for the end than poll (RFC 7240); 0 if not at all."""
    found = _WAIT.search(incoming.header(PREFER) or "")
    return min(int(found[1]), LONGEST_WAIT_SECONDS) if found else 0


def _flag(incoming: Incoming, name: str) -> bool:
    value = (incoming.header(name) or "").lower()
    if value not in ("", "true", "false"):
        raise InvalidValue(f"The header {name} takes 'true' or 'false'.", param=name)
    return value == "true"
