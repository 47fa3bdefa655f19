"""A span around each call of a provider, with the names of OpenTelemetry's GenAI conventions.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from common.errors import CallAborted, MuninnError
from common.providers.background_api import BackgroundProvider
from common.providers.base import (
    Batch,
    Provider,
    ProviderAnswer,
    ProviderRequest,
    ProviderStream,
    UpstreamCall,
)
from common.providers.events import TERMINAL_EVENTS

ASK = "chat"
RETRIEVE = "retrieve"


def traced_provider(provider: Provider, tracer: Tracer) -> Provider:
    """The provider with a span around each of its calls."""
    if isinstance(provider, BackgroundProvider):
        return TracedBackgroundProvider(provider, tracer)
    return TracedProvider(provider, tracer)


class TracedProvider:
    """A provider around another."""

    def __init__(self, provider: Any, tracer: Tracer) -> None:
        self.name: str = provider.name
        self._provider = provider
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """See Provider."""
        span = self._begun(ASK, request.model, stream=False)
        return _whole(span, lambda: self._provider.create(request, call))

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> ProviderStream:
        """See Provider."""
        span = self._begun(ASK, request.model, stream=True)
        return _opened(span, lambda: self._provider.stream(request, call))

    def _begun(self, operation: str, model: str | None, *, stream: bool) -> Span:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": self.name,
            "gen_ai.request.stream": stream,
        }
        if model is not None:
            attributes["gen_ai.request.model"] = model
        name = f"{operation} {model}" if model is not None else f"{operation} response"
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)


class TracedBackgroundProvider(TracedProvider):
    """The same for one with a background mode."""

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer:
        """See BackgroundProvider."""
        span = self._begun(ASK, request.model, stream=False)
        return _whole(span, lambda: self._provider.submit(request, call, key))

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream:
        """See BackgroundProvider."""
        span = self._begun(ASK, request.model, stream=True)
        return _opened(span, lambda: self._provider.submit_stream(request, call, key))

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
        """See BackgroundProvider."""
        span = self._begun(RETRIEVE, None, stream=False)
        return _whole(span, lambda: self._provider.retrieve(upstream_id, call))

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        """See BackgroundProvider."""
        span = self._begun(RETRIEVE, None, stream=True)
        return _opened(span, lambda: self._provider.retrieve_stream(upstream_id, call, after))

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None:
        """See BackgroundProvider."""
        self._provider.cancel(upstream_id, call)


def _whole(span: Span, ask: Callable[[], ProviderAnswer]) -> ProviderAnswer:
    try:
        answer = ask()
        _describe(span, answer.body)
        return answer
    except BaseException as error:
        _failed(span, error)
        raise
    finally:
        span.end()


def _opened(span: Span, ask: Callable[[], ProviderStream]) -> ProviderStream:
    started = time.monotonic()
    try:
        return _TracedStream(ask(), span, started)
    except BaseException as error:
        _failed(span, error)
        span.end()
        raise


class _TracedStream:
    """A stream whose span ends when it is closed."""

    def __init__(self, stream: Any, span: Span, started: float) -> None:
        self.headers: dict[str, str] = stream.headers
        self._stream = stream
        self._span = span
        self._started = started
        self._has_begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Batch]:
        try:
            for batch in self._stream:
                if batch:
                    self._look_at(batch)
                yield batch
        except Exception as error:
            _failed(self._span, error)
            raise

    def _look_at(self, batch: Batch) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._span.add_event("first event")
            seconds = time.monotonic() - self._started
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        last = batch[-1]
        if last.name.decode("utf-8", "replace") in TERMINAL_EVENTS:
            _describe_event(self._span, last.data)

    def close(self) -> None:
        """Close the stream, and its span."""
        try:
            self._stream.close()
        finally:
            self._span.end()


def _describe_event(span: Span, data: bytes) -> None:
    try:
        response = orjson.loads(data)["response"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return  # an error's event, or what the one who reads it will complain of
    _describe(span, response)


def _describe(span: Span, response: Any) -> None:
    """Note what came of the call, and nothing of what was said."""
    if not span.is_recording() or not isinstance(response, dict):
        return
    usage = response.get("usage")
    found = {
        "gen_ai.response.id": response.get("id"),
        "gen_ai.response.model": response.get("model"),
        "muninn.response.status": response.get("status"),
        **_tokens(usage if isinstance(usage, dict) else {}),
    }
    known = {name: value for name, value in found.items() if isinstance(value, str | int)}
    span.set_attributes({"http.response.status_code": 200, **known})


def _tokens(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
    }


def _failed(span: Span, error: BaseException) -> None:
    """Note how a call failed, without the text of it: providers repeat what they were sent."""
    if isinstance(error, CallAborted):
        span.set_attribute("muninn.closed", error.reason)
        return
    code = getattr(error, "code", None) or type(error).__qualname__
    span.set_attribute("error.type", code)
    if isinstance(error, MuninnError) and not error.by_gateway:
        span.set_attribute("http.response.status_code", error.status)
    span.set_status(Status(StatusCode.ERROR, code))
