"""A job's events as an HTTP stream."""

from dataclasses import replace

from api.finding import look_again
from api.headers import ASYNC_ID
from api.measured_stream import MeasuredStream
from api.polling import replayed_header
from api.reply import Reply
from api.streaming import stream_reply
from common.bootstrap import Services
from common.errors import InvalidValue
from common.job_stream import JobStream
from common.jobs import JobRecord, JobStatus
from common.submission import Submitted


def job_stream_reply(services: Services, record: JobRecord, after: int = -1) -> Reply:
    """The job's events after a sequence number, to its end."""
    stream = JobStream(
        record,
        look_again(services.store, record),
        services.events,
        services.endings,
        after=after,
        silence_seconds=services.settings.stream_heartbeat_seconds,
    )
    reply = stream_reply(MeasuredStream(stream, services.metrics, "job"))
    return replace(reply, headers=reply.headers | {ASYNC_ID: record.id})


def submitted_stream_reply(services: Services, submitted: Submitted) -> Reply:
    """The events of a job that was just submitted, from the first."""
    # As it was stored: looking it up could fail, and it is accepted.
    record = JobRecord(
        id=submitted.job_id,
        status=JobStatus.QUEUED,
        owner="",
        shape=submitted.shape,
        attempts=0,
        created_at_ms=submitted.created_at_ms,
        streamed=True,
    )
    reply = job_stream_reply(services, record)
    return replace(reply, headers=reply.headers | replayed_header(submitted))


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
