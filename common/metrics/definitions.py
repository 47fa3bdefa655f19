"""Every metric that this process and its siblings count: its name, labels and buckets. Pure.

No label holds what callers make up: routes are templates, statuses are classes, models are those
that a provider really answered for, and there is a bound on their number.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. ``buckets`` are the upper bounds of a histogram, in its unit, without +Inf."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers one set of labels takes: a histogram's are its buckets, what is above
        the last of them, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


_REQUEST = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5,
    10,
    30,
    60,
)
_OVERHEAD = (
    *(0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.00075),
    *(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
_CALL = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_WAIT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)

REQUEST_SECONDS = Definition(
    "muninn_http_request_duration_seconds",
    "histogram",
    "Time until an answer was ready to be sent; of a stream, its first event.",
    ("route", "method", "status"),
    _REQUEST,
)
OVERHEAD_SECONDS = Definition(
    "muninn_gateway_overhead_seconds",
    "histogram",
    "What the gateway added to the provider's time, for calls that were answered at once.",
    ("kind",),
    _OVERHEAD,
)
STREAMS_IN_FLIGHT = Definition(
    "muninn_streams_in_flight", "gauge", "Streams that are open to clients.", ("kind",)
)
STREAM_SECONDS = Definition(
    "muninn_stream_duration_seconds",
    "histogram",
    "Time from a stream's first event to its end.",
    ("kind",),
    _CALL,
)
RATE_LIMITED = Definition(
    "muninn_rate_limited_requests_total",
    "counter",
    "Requests refused for a limit of the gateway.",
    ("reason",),
)
PROVIDER_SECONDS = Definition(
    "muninn_provider_call_duration_seconds",
    "histogram",
    "Time of calls to providers; of a stream, until its first event.",
    ("provider", "kind", "outcome"),
    _CALL,
)
PROVIDER_ERRORS = Definition(
    "muninn_provider_errors_total",
    "counter",
    "Calls that a provider failed, streams that it broke off among them.",
    ("provider", "code"),
)
TOKENS = Definition(
    "muninn_tokens_total",
    "counter",
    "Tokens that providers counted; those of a job once.",
    ("provider", "model", "direction"),
)
COST_USD = Definition(
    "muninn_cost_usd_total",
    "counter",
    "Cost of answers in US dollars, where a price is known; that of a job once.",
    ("provider", "model"),
)
JOBS_SUBMITTED = Definition("muninn_jobs_submitted_total", "counter", "Jobs accepted.")
JOBS_ENDED = Definition(
    "muninn_jobs_ended_total", "counter", "Jobs ended, each counted once.", ("status",)
)
JOB_WAIT_SECONDS = Definition(
    "muninn_job_wait_seconds",
    "histogram",
    "Time from a job's submit to its first attempt.",
    (),
    _WAIT,
)
JOB_RUN_SECONDS = Definition(
    "muninn_job_run_seconds",
    "histogram",
    "Time from a job's first attempt to its end.",
    ("status",),
    _CALL,
)
JOB_ATTEMPTS = Definition("muninn_job_attempts_total", "counter", "Attempts begun.")
JOB_RETRIES = Definition(
    "muninn_job_retries_total",
    "counter",
    "Attempts that failed in a way that may pass, so that another is made later.",
)
JOBS_HANDED_BACK = Definition(
    "muninn_jobs_handed_back_total", "counter", "Jobs given to others by a worker that stops."
)
JOB_RESCUES = Definition(
    "muninn_job_rescues_total",
    "counter",
    "Jobs whose worker was lost, by what became of them.",
    ("outcome",),
)
MESSAGES_LOST = Definition(
    "muninn_job_messages_lost_total", "counter", "Jobs queued anew for their message was lost."
)
JOBS_IN_HAND = Definition(
    "muninn_worker_jobs_in_hand", "gauge", "Jobs that workers of this machine run."
)
WORKER_SLOTS = Definition(
    "muninn_worker_slots", "gauge", "Jobs that workers of this machine can run at once."
)
WEBHOOKS = Definition(
    "muninn_webhook_deliveries_total",
    "counter",
    "Attempts to deliver a webhook: delivered, failed for now, or given up.",
    ("outcome",),
)

ALL = (
    REQUEST_SECONDS,
    OVERHEAD_SECONDS,
    STREAMS_IN_FLIGHT,
    STREAM_SECONDS,
    RATE_LIMITED,
    PROVIDER_SECONDS,
    PROVIDER_ERRORS,
    TOKENS,
    COST_USD,
    JOBS_SUBMITTED,
    JOBS_ENDED,
    JOB_WAIT_SECONDS,
    JOB_RUN_SECONDS,
    JOB_ATTEMPTS,
    JOB_RETRIES,
    JOBS_HANDED_BACK,
    JOB_RESCUES,
    MESSAGES_LOST,
    JOBS_IN_HAND,
    WORKER_SLOTS,
    WEBHOOKS,
)
BY_NAME = {definition.name: definition for definition in ALL}
