"""What a job is: its statuses, the ways between them, and its record. Pure."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from common.usage import NOTHING, Usage


class JobStatus(StrEnum):
    """OpenAI's words, used everywhere inside; the envelope's words live at its own edge.

    Ways out: QUEUED by claim, cancel or a deadline; IN_PROGRESS by finish, cancel, or back to
    QUEUED when its worker is lost, stops, or shall try again later. TERMINAL has none.
    """

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    # A success of an overtaken attempt may complete a job that is queued again: it is paid for.
    JobStatus.QUEUED: frozenset({JobStatus.IN_PROGRESS, *TERMINAL}),
    JobStatus.IN_PROGRESS: frozenset({JobStatus.QUEUED, *TERMINAL}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is submitted.

    ``shape`` is the Response object answered to the submit; every later view of a job without an
    answer is made from it. ``fingerprint`` tells one request body from another; ``submission``
    tells this submit from any other that uses the same id. ``max_running`` bounds the jobs of its
    owner that run at once; all of them have to be in one partition. ``max_in_flight`` bounds those
    of ``provider``, where it is asked first. ``caller_key`` is the caller's own key for the
    provider, encrypted.
    """

    id: str
    owner: str
    request: bytes
    options: bytes
    shape: bytes
    ttl_seconds: int
    created_at_ms: int
    fingerprint: str
    submission: str
    streamed: bool = False
    batch_id: str | None = None
    webhook: str | None = None
    max_running: int | None = None
    provider: str = ""
    max_in_flight: int | None = None
    caller_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in the hands of one attempt. ``token`` is what it holds the job by, and what tells it
    from any other claim of the same id; ``attempt`` counts from 1.

    ``failures`` counts the calls the provider has failed so far; times are the store's, in ms.
    ``last_sequence`` numbers the last event that earlier attempts have published, ``upstream_id``
    is the response that they have started at a provider with a background mode.
    """

    job_id: str
    token: str
    attempt: int
    request: bytes
    options: bytes
    created_at_ms: int
    started_at_ms: int
    claimed_at_ms: int
    failures: int
    ttl_seconds: int
    shape: bytes = field(default=b"", repr=False)
    streamed: bool = False
    last_sequence: int | None = None
    upstream_id: str | None = None
    caller_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended its job: with the provider's answer, an error, or both."""

    status: JobStatus
    result: bytes | None = None
    response_id: str | None = None
    error: dict[str, Any] | None = None
    usage: Usage = NOTHING


class DeliveryState(StrEnum):
    """Where the news of a job's end stands. Ways out: PENDING by a delivery, or when there were
    too many attempts; the other two when it shall be sent again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """The webhook of a job: its target (an endpoint's name or a URL) and how delivering it goes.

    ``last_status`` is what the receiver answered last, ``last_error`` why that was no success.
    """

    target: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    next_attempt_at_ms: int | None = None
    delivered_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of a stored job.

    ``result`` is there only when it ended with an answer, ``partial`` (the output so far) only
    while it runs and is streamed.
    """

    id: str
    status: JobStatus
    owner: str
    shape: bytes
    attempts: int
    created_at_ms: int
    started_at_ms: int | None = None
    completed_at_ms: int | None = None
    expires_at_ms: int | None = None
    next_attempt_at_ms: int | None = None
    error: dict[str, Any] | None = None
    response_id: str | None = None
    result: bytes | None = field(default=None, repr=False)
    streamed: bool = False
    partial: bytes | None = field(default=None, repr=False)
    last_sequence: int | None = None
    is_overtaken: bool = False
    delivery: Delivery | None = None

    @property
    def is_ended(self) -> bool:
        return self.status in TERMINAL


def is_job_id(text: str) -> bool:
    """Whether the text is a UUID in the one form that ids are given out in."""
    return _UUID.fullmatch(text) is not None
