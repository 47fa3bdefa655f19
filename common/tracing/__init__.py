"""Traces: one from a submit over every attempt of its job to the webhook. Off unless set.

This is all that the rest of the code knows of it. While tracing is off each of these functions is
one test, and nothing of OpenTelemetry is imported.
"""

from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from wsgiref.types import WSGIApplication

from common.settings import Settings

if TYPE_CHECKING:
    from common.providers.registry import Registry
    from common.tracing.spans import Spans
    from common.webhooks.sender import Sender

_NOTHING: AbstractContextManager[None] = nullcontext()
_spans: "Spans | None" = None


def start_tracing(settings: Settings, process: str) -> None:
    """Begin to export spans, if the settings say so; once in each process that works.

    ``process`` is what it does (``front``, ``worker``).
    """
    global _spans
    if settings.tracing and _spans is None:
        from common.tracing.exporting import open_spans

        _spans = open_spans(settings, process)


def stop_tracing() -> None:
    """Export what is left, for a few seconds at most."""
    global _spans
    spans, _spans = _spans, None
    if spans is not None:
        spans.close()


def traceparent() -> str | None:
    """Where this thread is in its trace, in the form of the W3C's header; None while off."""
    return None if _spans is None else _spans.traceparent()


def attempt(job_id: str, number: int, since: str | None) -> AbstractContextManager[None]:
    """One attempt of a job, as a part of the trace that its submit was (``since``)."""
    return _NOTHING if _spans is None else _spans.attempt(job_id, number, since)


def delivery(job_id: str, since: Callable[[], str | None]) -> AbstractContextManager[None]:
    """One delivery of a webhook; ``since`` is only asked while tracing is on."""
    return _NOTHING if _spans is None else _spans.delivery(job_id, since())


def outcome(word: str, code: str | None = None) -> None:
    """How the attempt that this thread is in has ended: a job's status or what comes next."""
    if _spans is not None:
        _spans.outcome(word, code)


def traced_front(app: WSGIApplication, route_key: str, untraced: Container[str]) -> WSGIApplication:
    """The application with a span around each request; see TracedFront."""
    if _spans is None:
        return app
    from common.tracing.front import TracedFront

    return TracedFront(app, route_key, untraced)


def trace_providers(registry: "Registry") -> None:
    """Put a span around each call of the registry's providers."""
    if _spans is not None:
        from common.tracing.calls import traced_calls

        registry.observe(traced_calls(_spans.tracer))


def traced_sender(sender: "Sender") -> "Sender":
    """The sender with a span around each post."""
    if _spans is None:
        return sender
    from common.tracing.posts import TracedSender

    return TracedSender(sender, _spans.tracer)
