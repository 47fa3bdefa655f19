"""Where spans go: to an OTLP collector over HTTP, as the standard ``OTEL_*`` variables say."""

import multiprocessing.util
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    Decision,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from common.logs import add_source
from common.settings import Settings
from common.tracing import stop_tracing
from common.tracing.spans import Spans, ids_for_log
from common.version import version


def open_spans(settings: Settings, process: str) -> Spans:
    """Set the SDK up in this process, and see to it that its last spans leave with it."""
    provider = TracerProvider(resource=_resource(process), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if settings.tracing_redis:
        _trace_redis(provider)
    trace.set_tracer_provider(provider)
    add_source(ids_for_log)
    # The server's process is a child that ends without running what atexit knows.
    multiprocessing.util.Finalize(None, stop_tracing, exitpriority=0)
    return Spans(provider)


def _resource(process: str) -> Resource:
    """Who we are, unless the environment says otherwise."""
    ours = {"service.version": version(), "muninn.process": process}
    found = Resource.create(ours)
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": f"muninn-{process}"}))
    return found


def _trace_redis(provider: TracerProvider) -> None:
    from opentelemetry.instrumentation.redis import RedisInstrumentor

    # What the process does for itself, each second, would be a trace of one span each.
    provider.sampler = WithoutOrphans(provider.sampler)
    RedisInstrumentor().instrument(tracer_provider=provider)


class WithoutOrphans(Sampler):
    """Asks another sampler, but leaves out calls that nobody's request or job has made."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See Sampler."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if kind is SpanKind.CLIENT and not parent.is_valid:
            return SamplingResult(Decision.DROP)
        return self._sampler.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """See Sampler."""
        return f"WithoutOrphans({self._sampler.get_description()})"
