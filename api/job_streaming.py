"""A job's events as an HTTP stream."""

from collections.abc import Callable
from dataclasses import replace

from api.finding import look_again
from api.headers import ASYNC_ID
from api.measured_stream import MeasuredStream
from api.polling import replayed_header
from api.reply import Reply
from api.streaming import stream_reply
from common.bootstrap import Services
from common.errors import InvalidValue, RateLimited
from common.job_stream import JobStream
from common.jobs import JobRecord, JobStatus
from common.submission import Submitted

# When to ask again for a stream for which there is no place.
RETRY_SECONDS = 5.0


class WatchedJob(MeasuredStream):
    """A job's stream, with a place of those who wait until it is closed."""

    def __init__(self, stream: JobStream, services: Services) -> None:
        super().__init__(stream, services.metrics, "job")
        self._places = services.places

    def _ended(self) -> None:
        self._places.give_back()


def job_stream_reply(services: Services, find: Callable[[], JobRecord], after: int = -1) -> Reply:
    """The events after a sequence number, to its end, of the job that is found when there is a
    place for its stream. Raises RateLimited when there is none."""
    if not services.places.take():
        raise RateLimited(
            "Too many jobs are being watched or waited for; poll, or try again.",
            retry_after_seconds=RETRY_SECONDS,
        )
    try:
        return _opened(services, find(), after)
    except BaseException:
        services.places.give_back()
        raise


def _opened(services: Services, record: JobRecord, after: int) -> Reply:
    stream = JobStream(
        record,
        look_again(services.store, record),
        services.events,
        services.endings,
        after=after,
        silence_seconds=services.settings.stream_heartbeat_seconds,
    )
    reply = stream_reply(WatchedJob(stream, services))
    return replace(reply, headers=reply.headers | {ASYNC_ID: record.id})


def submitted_stream_reply(services: Services, submit: Callable[[], Submitted]) -> Reply:
    """The events, from the first, of the job that is submitted when there is a place for them."""
    headers: dict[str, str] = {}

    def find() -> JobRecord:
        submitted = submit()
        headers.update(replayed_header(submitted))
        return _as_stored(submitted)

    reply = job_stream_reply(services, find)
    return replace(reply, headers=reply.headers | headers)


def _as_stored(submitted: Submitted) -> JobRecord:
    """The job without looking it up: that could fail, and it is accepted."""
    return JobRecord(
        id=submitted.job_id,
        status=JobStatus.QUEUED,
        owner="",
        shape=submitted.shape,
        attempts=0,
        created_at_ms=submitted.created_at_ms,
        streamed=True,
    )


def starting_after(query: dict[str, str]) -> int:
    """The sequence number of the last event the caller has seen; -1 for none."""
    text = query.get("starting_after")
    if text is None:
        return -1
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise InvalidValue(
            "starting_after takes the sequence number of an event.", param="starting_after"
        )
    return int(text)
