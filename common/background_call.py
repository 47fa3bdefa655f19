"""Runs a job in its provider's own background mode: submitted once, then followed by its id."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import wait_exponential, wait_random_exponential

from common.errors import MuninnError, ProviderFailure, ProviderInvalidAnswer
from common.providers.background_api import BackgroundProvider
from common.providers.base import ProviderAnswer, ProviderRequest, UpstreamCall
from common.retry_policy import attempt_state

log = logging.getLogger(__name__)

UNFINISHED = ("queued", "in_progress")
CANCEL_SECONDS = 10.0

Answer = TypeVar("Answer")

_pace = wait_exponential(multiplier=0.25, max=5)
_patience = wait_random_exponential(multiplier=0.5, max=15)


class UpstreamMemory:
    """What is remembered of a job's call over all its attempts.

    ``upstream_id`` is the response that was started for it, now or by an earlier attempt;
    ``write`` keeps a new one, returns only when that is done, and raises CallAborted where it is
    not to be kept. ``key`` tells the job's submits from all others.
    """

    def __init__(self, key: str, upstream_id: str | None, write: Callable[[str], None]) -> None:
        self.key = key
        self.upstream_id = upstream_id
        self._write = write

    def note(self, upstream_id: object) -> None:
        """Remember the id that an answer carries. Raises ProviderInvalidAnswer if it is none."""
        if not isinstance(upstream_id, str) or not upstream_id:
            raise ProviderInvalidAnswer("The provider gave its background response no id.")
        if upstream_id != self.upstream_id:
            self._write(upstream_id)
            self.upstream_id = upstream_id


def answer_in_background(
    provider: BackgroundProvider,
    request: ProviderRequest,
    call: UpstreamCall,
    memory: UpstreamMemory,
) -> ProviderAnswer:
    """The finished answer. The call that is paid for is made only if none was noted."""
    if memory.upstream_id is None:
        answer = provider.submit(request, call, memory.key)
        memory.note(answer.body.get("id"))
    else:
        log.info("following the upstream response: job_id=%s", memory.key)
        answer = retrieved(provider, memory.upstream_id, call)
    return finished(provider, answer, call)


def finished(
    provider: BackgroundProvider, answer: ProviderAnswer, call: UpstreamCall
) -> ProviderAnswer:
    """The answer as it is when the provider is done with it."""
    polls = 0
    while answer.body.get("status") in UNFINISHED:
        polls += 1
        call.sleep(_pace(attempt_state(polls)))
        answer = retrieved(provider, str(answer.body.get("id")), call)
    return answer


def retrieved(provider: BackgroundProvider, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
    """The response as it stands."""
    return patiently(lambda: provider.retrieve(upstream_id, call), call)


def patiently(ask: Callable[[], Answer], call: UpstreamCall) -> Answer:
    """Ask what costs nothing, again and again until the call is aborted; only an answer that will
    not change ends it."""
    failures = 0
    while True:
        try:
            return ask()
        except ProviderFailure as error:
            if is_final(error):
                raise
            failures += 1
            pause(failures, call, error.retry_after_seconds)


def is_final(error: ProviderFailure) -> bool:
    """Whether asking again would bring the same."""
    return 400 <= error.status < 500 and not error.retryable


def pause(failures: int, call: UpstreamCall, at_least_seconds: float | None = None) -> None:
    """Wait after so many failures in a row. Raises CallAborted when the call is aborted."""
    call.sleep(max(_patience(attempt_state(failures)), at_least_seconds or 0.0))


def cancel_upstream(provider: BackgroundProvider, upstream_id: str) -> None:
    """Tell the provider that nobody wants the answer any more; it may be too late for that."""
    call = UpstreamCall()
    patience = threading.Timer(CANCEL_SECONDS, call.abort, ["it took too long"])
    patience.daemon = True
    patience.start()
    try:
        provider.cancel(upstream_id, call)
    except MuninnError as error:
        log.warning("upstream cancel failed: code=%s", error.code)
    finally:
        patience.cancel()
