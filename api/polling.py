"""A job as the answer to a poll: 200 in every state, for SDKs repeat a poll that answers 5xx."""

import time
from dataclasses import replace

from api.finding import look_again
from api.reply import Reply
from common.bootstrap import Services
from common.errors import JobNotFound, ServiceUnavailable
from common.job_views import response_view
from common.jobs import JobRecord
from common.submission import Submitted

# Until this age (seconds) of a job, poll again after (milliseconds).
_PACE = ((5, 500), (60, 1000), (600, 2000))
_SLOWEST_MS = 5000
# For a next attempt that is far off, by the store's clock: this one may be another.
_LONGEST_MS = 60_000


def poll_reply(record: JobRecord) -> Reply:
    """The job as it stands, and, while it waits or runs, when to ask again."""
    return Reply(200, response_view(record), pace_headers(record))


def waited_reply(services: Services, record: JobRecord, wait_seconds: int) -> Reply:
    """The same, after waiting for the job's end for as long as the caller prefers."""
    return _applied(poll_reply(waited(services, record, wait_seconds)), wait_seconds)


def waited(services: Services, record: JobRecord, wait_seconds: int) -> JobRecord:
    """The job after waiting for its end for at most so long."""
    if wait_seconds == 0 or record.is_ended:
        return record

    look = look_again(services.store, record)
    return services.endings.wait(record.id, look, wait_seconds)


def submit_reply(services: Services, submitted: Submitted, wait_seconds: int) -> Reply:
    """The job as it was submitted, or its end if the caller prefers to wait and it came."""
    headers = poll_headers(submitted.created_at_ms) | replayed_header(submitted)
    record = waited_after_submit(services, submitted, wait_seconds)
    if record is None:
        return Reply(200, submitted.shape, headers)
    reply = _applied(poll_reply(record), wait_seconds)
    return replace(reply, headers=headers | reply.headers) if submitted.is_replayed else reply


def waited_after_submit(
    services: Services, submitted: Submitted, wait_seconds: int
) -> JobRecord | None:
    """The job when its end or the time has come; None if nobody wants to wait, or if it cannot be
    had: it is accepted, and no trouble with waiting may say otherwise."""
    if wait_seconds == 0:
        return None
    try:
        record = services.store.get(submitted.job_id)
        return waited(services, record, wait_seconds) if record is not None else None
    except (JobNotFound, ServiceUnavailable):
        return None


def replayed_header(submitted: Submitted) -> dict[str, str]:
    """Says that an earlier submit with the same key made the job, where that is so."""
    return {"idempotent-replayed": "true"} if submitted.is_replayed else {}


def _applied(reply: Reply, wait_seconds: int) -> Reply:
    if wait_seconds:
        reply.headers["preference-applied"] = f"wait={wait_seconds}"
    return reply


def pace_headers(record: JobRecord) -> dict[str, str]:
    """When to ask again for a job; nothing for one that has ended."""
    if record.is_ended:
        return {}
    return poll_headers(record.created_at_ms, record.next_attempt_at_ms)


def poll_headers(created_at_ms: int, next_attempt_at_ms: int | None = None) -> dict[str, str]:
    """``openai-poll-after-ms``, and the same as ``Retry-After`` in whole seconds.

    A job that waits for its next attempt has nothing new to say before it.
    """
    now = time.time()
    age_seconds = now - created_at_ms / 1000
    pause_ms = next((pause for age, pause in _PACE if age_seconds < age), _SLOWEST_MS)
    next_attempt_ms = round((next_attempt_at_ms or 0) - now * 1000)
    pause_ms = max(pause_ms, min(next_attempt_ms, _LONGEST_MS))
    return {"retry-after": str(-(-pause_ms // 1000)), "openai-poll-after-ms": str(pause_ms)}
