"""The spans of a job, and how one process hands a trace to the next."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from common.store.keys import JOBS_QUEUE, WEBHOOKS_QUEUE

# What exporting the last spans may take; the process has to end within its grace period.
LAST_SPANS_SECONDS = 3.0

TRACEPARENT = "traceparent"
_W3C = TraceContextTextMapPropagator()
# Outcomes of an attempt that are nobody's failure.
_FINE = frozenset({"completed", "handed_back", "lost"})


class Spans:
    """What this process traces with."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self.tracer: Tracer = provider.get_tracer("muninn")

    def close(self) -> None:
        """Export what is left. A collector that does not answer is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(LAST_SPANS_SECONDS)

    def traceparent(self) -> str | None:
        """The current span, for another process to go on from."""
        return carrier_of_here().get(TRACEPARENT)

    @contextmanager
    def attempt(self, job_id: str, number: int, since: str | None) -> Iterator[None]:
        """A span around one attempt."""
        attributes = {"muninn.attempt": number, **_of_message(JOBS_QUEUE, job_id)}
        with self._consuming(f"process {JOBS_QUEUE}", attributes, since):
            yield

    @contextmanager
    def delivery(self, job_id: str, since: str | None) -> Iterator[None]:
        """A span around one delivery."""
        attributes = _of_message(WEBHOOKS_QUEUE, job_id)
        with self._consuming(f"process {WEBHOOKS_QUEUE}", attributes, since):
            yield

    @contextmanager
    def _consuming(
        self, name: str, attributes: Mapping[str, Any], since: str | None
    ) -> Iterator[None]:
        # No text of an exception: it may hold what a provider said.
        with self.tracer.start_as_current_span(
            name,
            context=context_of(since),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ):
            yield

    def outcome(self, word: str, code: str | None) -> None:
        """Note on the current span how its attempt ended."""
        span = trace.get_current_span()
        span.set_attribute("muninn.outcome", word)
        if code is not None:
            span.set_attribute("error.type", str(code))
        if word not in _FINE:
            span.set_status(Status(StatusCode.ERROR, word))


def _of_message(destination: str, job_id: str) -> dict[str, Any]:
    return {
        "messaging.system": "muninn",
        "messaging.operation.type": "process",
        "messaging.destination.name": destination,
        "messaging.message.id": job_id,
        "muninn.job.id": job_id,
    }


def carrier_of_here() -> dict[str, str]:
    """The current span as headers."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier


def context_of(traceparent: str | None) -> Context:
    """The context that a traceparent leads to; one without any span where it leads nowhere."""
    return _W3C.extract({TRACEPARENT: traceparent} if traceparent else {}, context=Context())


def ids_for_log() -> Mapping[str, Any]:
    """The trace and span that this thread is in, for the lines it logs."""
    return ids_of(trace.get_current_span())


def ids_of(span: Span) -> Mapping[str, Any]:
    """The ids of a span and its trace, as they stand in the log; none of one that is no span."""
    where = span.get_span_context()
    if not where.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(where.trace_id),
        "span_id": trace.format_span_id(where.span_id),
    }
