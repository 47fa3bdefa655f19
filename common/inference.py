"""The verb: create a response, whole or as a stream, at the provider that the model names."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import orjson

from common.answers import Answer, Exchange, decorate
from common.background_call import UpstreamMemory, answer_in_background, cancel_upstream
from common.caller_keys import CallerKey
from common.errors import MuninnError
from common.fallbacks import first_served
from common.followed_stream import stream_in_background
from common.log_context import note
from common.pricing import response_cost
from common.providers.background_api import BackgroundProvider
from common.providers.base import ProviderAnswer, ProviderRequest, ProviderStream, UpstreamCall
from common.providers.registry import Registry, Route
from common.relay import RelayedStream
from common.routes import first_route, routes_of

# Members of a request that speak to the gateway, or that the gateway sets itself.
GATEWAY_FIELDS = frozenset({"stream", "background", "fallbacks"})
# Providers refuse these on a call that is not streamed.
STREAM_FIELDS = frozenset({"stream_options"})


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What a caller asked for beside the body. Stored with a job."""

    raw_request: bool = False
    raw_response: bool = False
    stream: bool = False
    # What the request was, for the log and the trace of its job.
    request_id: str | None = None
    traceparent: str | None = None
    # Configured models that stand in, where the body names none; those the caller may use.
    fallbacks: tuple[str, ...] = ()
    has_caller_key: bool = False

    def to_json(self) -> bytes:
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, stored: bytes) -> "CallOptions":
        """Options that a newer version knows are left out: while a deploy rolls, both run."""
        known = {field.name for field in fields(cls)}
        given = orjson.loads(stored)
        kept = {name: value for name, value in given.items() if name in known}
        return cls(**{**kept, "fallbacks": tuple(kept.get("fallbacks", ()))})


NO_OPTIONS = CallOptions()


class Inference:
    """Answers requests by calling the providers of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def check(self, body: dict[str, Any], caller_key: CallerKey | None = None) -> None:
        """Raise ModelNotFound if no configured provider serves the model or a fallback,
        PermissionDenied or Unauthenticated if not with this key, or not without one."""
        routes_of(self._registry, body, key=caller_key)

    def provider_of(self, model: str) -> tuple[str, int | None]:
        """The provider that is asked first, and how many jobs may call it at once.

        Raises ModelNotFound.
        """
        name = self._registry.resolve(model).provider_name
        return name, self._registry.max_in_flight(name)

    def create(
        self,
        body: dict[str, Any],
        options: CallOptions,
        call: UpstreamCall,
        *,
        attempt: int = 0,
        memory: UpstreamMemory | None = None,
        caller_key: CallerKey | None = None,
    ) -> Answer:
        """The whole answer. Raises ProviderFailure, CallAborted, and what ``check`` raises.

        With a ``caller_key`` its provider is asked by that and not by its own. With a ``memory``
        the provider's own background mode is used, if it has one.
        """

        def ask(route: Route) -> Answer:
            request = _provider_request(route, body, GATEWAY_FIELDS | STREAM_FIELDS, attempt)
            exchange = _exchange(route, body)
            with _named(route):
                if memory is not None and (background := _background_of(route, body)):
                    answer = answer_in_background(background, request, call, memory)
                else:
                    answer = route.provider.create(request, call)
            extra_fields = exchange.extra_fields() | _raw_fields(options, request, answer)
            cost = response_cost(exchange, answer.body)
            finished = decorate(answer.body, answer.raw, extra_fields, cost)
            return Answer(finished, answer.headers, answer.body, cost, exchange)

        return first_served(self._routes(body, options, caller_key, memory), ask)

    def stream(
        self,
        body: dict[str, Any],
        call: UpstreamCall,
        *,
        options: CallOptions = NO_OPTIONS,
        attempt: int = 0,
        memory: UpstreamMemory | None = None,
        caller_key: CallerKey | None = None,
    ) -> RelayedStream:
        """Open a stream; what fails before the first event is raised here.

        Whoever opens it closes it. For ``memory`` and ``caller_key`` see ``create``.
        """

        def ask(route: Route) -> RelayedStream:
            request = _provider_request(route, body, GATEWAY_FIELDS, attempt)
            exchange = _exchange(route, body)
            with _named(route):
                stream: ProviderStream
                if memory is not None and (background := _background_of(route, body)):
                    stream = stream_in_background(background, request, call, memory)
                else:
                    stream = route.provider.stream(request, call)
            return RelayedStream(stream, exchange)

        return first_served(self._routes(body, options, caller_key, memory), ask)

    def _routes(
        self,
        body: dict[str, Any],
        options: CallOptions,
        caller_key: CallerKey | None,
        memory: UpstreamMemory | None,
    ) -> list[Route]:
        """Where to ask, in order. What was begun in the background of the first provider is
        followed there."""
        if memory is not None and memory.upstream_id is not None:
            return [first_route(self._registry, body["model"], caller_key)]
        return routes_of(self._registry, body, options.fallbacks, caller_key)

    def cancel_upstream(
        self, model: str, upstream_id: str, caller_key: CallerKey | None = None
    ) -> None:
        """Tell the provider of a job that nobody wants its answer any more."""
        provider = first_route(self._registry, model, caller_key).provider
        if isinstance(provider, BackgroundProvider):
            cancel_upstream(provider, upstream_id)


def _background_of(route: Route, body: dict[str, Any]) -> BackgroundProvider | None:
    """The provider, if it has a background mode and the request may be kept there. A fallback is
    asked plainly: the one id that a job can note is that of the first provider."""
    is_fallback = route.model_requested != body["model"]
    if (
        is_fallback
        or body.get("store") is False
        or not isinstance(route.provider, BackgroundProvider)
    ):
        return None
    return route.provider


def _provider_request(
    route: Route, body: dict[str, Any], without: frozenset[str], attempt: int
) -> ProviderRequest:
    kept = {name: value for name, value in body.items() if name not in without}
    kept["model"] = route.model_deployment
    return ProviderRequest(model=route.model_deployment, body=kept, attempt=attempt)


def _exchange(route: Route, body: dict[str, Any]) -> Exchange:
    return Exchange(route.provider_name, body["model"], route.model_deployment, time.monotonic())


def _raw_fields(
    options: CallOptions, request: ProviderRequest, answer: ProviderAnswer
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if options.raw_request:
        fields["raw_request"] = request.body | {"stream": False}
    if options.raw_response:
        fields["raw_response"] = orjson.Fragment(answer.raw)
    return fields


@contextmanager
def _named(route: Route) -> Iterator[None]:
    """Every failure that comes through, and every line of the log, says who was asked."""
    note(provider=route.provider_name)
    try:
        yield
    except MuninnError as error:
        error.provider = route.provider_name
        error.model_requested = route.model_requested
        raise
