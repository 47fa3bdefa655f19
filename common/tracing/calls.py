"""A span around each call of a provider, with the names of OpenTelemetry's GenAI conventions.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import orjson
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from common.errors import CallAborted, MuninnError
from common.providers.base import Batch, ProviderAnswer, ProviderStream
from common.providers.events import TERMINAL_EVENTS
from common.providers.observed import Asked, CallWatch, Observer

ASK = "chat"
RETRIEVE = "retrieve"


def traced_calls(tracer: Tracer) -> Observer:
    """Puts a span around every call that asks for an answer, or for one that there is."""
    return partial(_call, tracer)


def _call(tracer: Tracer, provider: str, asked: Asked, model: str | None) -> CallWatch:
    if asked.what == "cancel":
        return CallWatch()
    return _TracedCall(_begun(tracer, provider, asked, model))


def _begun(tracer: Tracer, provider: str, asked: Asked, model: str | None) -> Span:
    operation = ASK if asked.what == "ask" else RETRIEVE
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.stream": asked.is_streamed,
    }
    if model is not None:
        attributes["gen_ai.request.model"] = model
    name = f"{operation} {model if model is not None else 'response'}"
    return tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)


class _TracedCall(CallWatch):
    """The span ends with the call, that of a stream when it is closed."""

    __slots__ = ("_began_at", "_has_begun", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._began_at = time.monotonic()
        self._has_begun = False

    def answered(self, result: object) -> None:
        if isinstance(result, ProviderAnswer):
            _describe(self._span, result.body)
            self._span.end()

    def failed(self, error: BaseException) -> None:
        _failed(self._span, error)
        self._span.end()

    def through(self, stream: ProviderStream) -> Iterator[Batch]:
        try:
            for batch in stream:
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
            seconds = time.monotonic() - self._began_at
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", seconds)
        last = batch[-1]
        if last.name.decode("utf-8", "replace") in TERMINAL_EVENTS:
            _describe_event(self._span, last.data)

    def closed(self) -> None:
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
