"""Runs a job in its provider's own background mode: submitted once, then followed by its id."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import wait_exponential, wait_random_exponential

from common.errors import CallAborted, MuninnError, ProviderFailure, ProviderInvalidAnswer
from common.providers.background_api import BackgroundProvider
from common.providers.base import ProviderAnswer, ProviderRequest, ProviderStream, UpstreamCall
from common.retry_policy import attempt_state

log = logging.getLogger(__name__)

UNFINISHED = ("queued", "in_progress")
CANCEL_SECONDS = 10.0

_pace = wait_exponential(multiplier=0.25, max=5)
_patience = wait_random_exponential(multiplier=0.5, max=15)


@dataclass(frozen=True, slots=True)
class UpstreamMemory:
    """What is remembered of a job's call over all its attempts.

    ``upstream_id`` is the id an earlier attempt has noted, ``note`` writes it down; it returns
    only when that is done.
    """

    key: str
    upstream_id: str | None
    note: Callable[[str], None]


def answer_in_background(
    provider: BackgroundProvider,
    request: ProviderRequest,
    call: UpstreamCall,
    memory: UpstreamMemory,
) -> ProviderAnswer:
    """The finished answer. The call that is paid for is made only if none was noted."""
    upstream_id = memory.upstream_id
    polls = 0
    if upstream_id is None:
        answer = provider.submit(request, call, memory.key)
        upstream_id = _id_of(answer)
        memory.note(upstream_id)
    else:
        log.info("following the upstream response: job_id=%s", memory.key)
        answer = _retrieved(provider, upstream_id, call)
    while answer.body.get("status") in UNFINISHED:
        polls += 1
        call.sleep(_pace(attempt_state(polls)))
        answer = _retrieved(provider, upstream_id, call)
    return answer


def stream_in_background(
    provider: BackgroundProvider,
    request: ProviderRequest,
    call: UpstreamCall,
    memory: UpstreamMemory,
) -> ProviderStream:
    """The events from the first on. Who reads them notes the id that they carry."""
    if memory.upstream_id is None:
        return provider.submit_stream(request, call, memory.key)
    return provider.retrieve_stream(memory.upstream_id, call)


def cancel_upstream(provider: BackgroundProvider, upstream_id: str) -> None:
    """Tell the provider that nobody wants the answer any more; it may be too late for that."""
    try:
        provider.cancel(upstream_id, UpstreamCall())
    except MuninnError as error:
        log.warning("upstream cancel failed: code=%s", error.code)


def _id_of(answer: ProviderAnswer) -> str:
    upstream_id = answer.body.get("id")
    if not isinstance(upstream_id, str) or not upstream_id:
        raise ProviderInvalidAnswer("The provider gave its background response no id.")
    return upstream_id


def _retrieved(
    provider: BackgroundProvider, upstream_id: str, call: UpstreamCall
) -> ProviderAnswer:
    """The response as it stands. Asking is free, so it is repeated until the call is aborted;
    only an answer that will not change ends it."""
    failures = 0
    while True:
        try:
            return provider.retrieve(upstream_id, call)
        except CallAborted:
            raise
        except ProviderFailure as error:
            if 400 <= error.status < 500 and not error.retryable:
                raise
            failures += 1
            call.sleep(max(_patience(attempt_state(failures)), error.retry_after_seconds or 0))
