"""Requests per minute: counted before a request is acted on, told in its answer's headers."""

from collections.abc import Callable
from dataclasses import replace

from api.auth import Caller
from api.reply import Reply
from common.bootstrap import Services
from common.errors import InvalidValue, MuninnError, RateLimited
from common.store.rate_limits import Allowance

LIMIT = "x-ratelimit-limit-requests"
REMAINING = "x-ratelimit-remaining-requests"
RESET = "x-ratelimit-reset-requests"


def limited(
    services: Services, caller: Caller, answer: Callable[[], Reply], requests: int = 1
) -> Reply:
    """The answer to a request that counts as so many, unless they are over the key's limit.

    Raises RateLimited. Whatever the answer is, it says what is left. Keys without a limit cost
    nothing.
    """
    if caller.key is None or caller.key.rpm is None:
        return answer()
    headers = _spend(services, caller.key.id, caller.key.rpm, requests)
    try:
        reply = answer()
    except MuninnError as error:
        error.headers |= headers
        raise
    return replace(reply, headers=reply.headers | headers)


def _spend(services: Services, key_id: str, rpm: int, requests: int) -> dict[str, str]:
    if requests > rpm:
        raise InvalidValue(
            f"requests: this API key may make {rpm} requests a minute; send fewer at once.",
            param="requests",
        )
    allowance = services.request_limits.spend(key_id, rpm, requests)
    if allowance is None:
        return {}
    if allowance.is_granted:
        return _headers(allowance)
    error = RateLimited(
        f"This API key may make {rpm} requests a minute.",
        retry_after_seconds=max(allowance.reset_seconds, 1.0),
    )
    error.headers |= _headers(allowance)
    raise error


def _headers(allowance: Allowance) -> dict[str, str]:
    return {
        LIMIT: str(allowance.limit),
        REMAINING: str(allowance.remaining),
        RESET: duration(allowance.reset_seconds),
    }


def duration(seconds: float) -> str:
    """A time as OpenAI writes it: ``6m0s``, ``12.5s``, ``120ms``."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    shown = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{int(minutes)}m{shown}s" if minutes else f"{shown}s"
