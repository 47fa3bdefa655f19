"""Providers whose calls are watched, to count or to trace them."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar

from common.providers.background_api import BackgroundProvider
from common.providers.base import (
    Batch,
    Provider,
    ProviderAnswer,
    ProviderRequest,
    ProviderStream,
    UpstreamCall,
)

Result = TypeVar("Result")


class Asked(NamedTuple):
    """How a provider is asked: for what, how it answers, and whether in events."""

    what: Literal["ask", "retrieve", "cancel"]
    kind: Literal["whole", "stream", "background"]
    is_streamed: bool = False


CREATE = Asked("ask", "whole")
STREAM = Asked("ask", "stream", is_streamed=True)
SUBMIT = Asked("ask", "background")
SUBMIT_STREAM = Asked("ask", "background", is_streamed=True)
RETRIEVE = Asked("retrieve", "background")
RETRIEVE_STREAM = Asked("retrieve", "background", is_streamed=True)
CANCEL = Asked("cancel", "background")


class CallWatch:
    """Looks on at one call. Each of these does nothing unless a kind of watch says otherwise."""

    __slots__ = ()

    def answered(self, result: object) -> None:
        """The provider gave its answer, opened its stream, or has cancelled (None)."""

    def failed(self, error: BaseException) -> None:
        """It did none of that."""

    def through(self, stream: ProviderStream) -> Iterator[Batch]:
        """What comes through an open stream. Raises as the stream does."""
        return iter(stream)

    def closed(self) -> None:
        """The stream was closed; it may be more than once."""


# Begins to watch a call of the provider of this name; it comes before the provider hears of it.
# Last is the model, None for a call about a response that there is already.
Observer = Callable[[str, Asked, str | None], CallWatch]


def observed(provider: Provider, observer: Observer) -> Provider:
    """The provider with its calls watched."""
    if isinstance(provider, BackgroundProvider):
        return ObservedBackgroundProvider(provider, observer)
    return ObservedProvider(provider, observer)


class ObservedProvider:
    """A provider around another."""

    def __init__(self, provider: Any, observer: Observer) -> None:
        self.name: str = provider.name
        self._provider = provider
        self._observer = observer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """See Provider."""
        watch = self._observer(self.name, CREATE, request.model)
        answer: ProviderAnswer = _watched(watch, self._provider.create, request, call)
        return answer

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> ProviderStream:
        """See Provider."""
        watch = self._observer(self.name, STREAM, request.model)
        return ObservedStream(_watched(watch, self._provider.stream, request, call), watch)


class ObservedBackgroundProvider(ObservedProvider):
    """The same for one with a background mode: each look at a response is a call."""

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer:
        """See BackgroundProvider."""
        watch = self._observer(self.name, SUBMIT, request.model)
        answer: ProviderAnswer = _watched(watch, self._provider.submit, request, call, key)
        return answer

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream:
        """See BackgroundProvider."""
        watch = self._observer(self.name, SUBMIT_STREAM, request.model)
        opened = _watched(watch, self._provider.submit_stream, request, call, key)
        return ObservedStream(opened, watch)

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
        """See BackgroundProvider."""
        watch = self._observer(self.name, RETRIEVE, None)
        answer: ProviderAnswer = _watched(watch, self._provider.retrieve, upstream_id, call)
        return answer

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        """See BackgroundProvider."""
        watch = self._observer(self.name, RETRIEVE_STREAM, None)
        opened = _watched(watch, self._provider.retrieve_stream, upstream_id, call, after)
        return ObservedStream(opened, watch)

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None:
        """See BackgroundProvider."""
        watch = self._observer(self.name, CANCEL, None)
        _watched(watch, self._provider.cancel, upstream_id, call)


def _watched(watch: CallWatch, ask: Callable[..., Result], *asked: object) -> Result:
    try:
        result = ask(*asked)
    except BaseException as error:
        watch.failed(error)
        raise
    watch.answered(result)
    return result


class ObservedStream:
    """A stream around another."""

    def __init__(self, stream: Any, watch: CallWatch) -> None:
        self.headers: dict[str, str] = stream.headers
        self._stream = stream
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Batch]:
        return self._watch.through(self._stream)

    def close(self) -> None:
        """See ProviderStream."""
        try:
            self._stream.close()
        finally:
            self._watch.closed()
