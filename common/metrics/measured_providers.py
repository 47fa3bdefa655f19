"""Providers whose calls are counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from common.errors import CallAborted
from common.metrics.provider_calls import CallKind, ProviderMetrics
from common.providers.background_api import BackgroundProvider
from common.providers.base import (
    Batch,
    Provider,
    ProviderAnswer,
    ProviderRequest,
    ProviderStream,
    UpstreamCall,
)
from common.providers.registry import Registry


def measure_providers(registry: Registry, metrics: ProviderMetrics) -> None:
    """From now on count the calls of the registry's providers."""
    registry.wrap_all(lambda provider: measured_provider(provider, metrics))


def measured_provider(provider: Provider, metrics: ProviderMetrics) -> Provider:
    """The provider with its calls counted."""
    if isinstance(provider, BackgroundProvider):
        return MeasuredBackgroundProvider(provider, metrics)
    return MeasuredProvider(provider, metrics)


class MeasuredProvider:
    """A provider around another."""

    def __init__(self, provider: Any, metrics: ProviderMetrics) -> None:
        self.name: str = provider.name
        self._provider = provider
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """See Provider."""
        began_at = perf_counter()
        try:
            answer: ProviderAnswer = self._provider.create(request, call)
        except BaseException as error:
            self._metrics.broke(self.name, "whole", began_at, error)
            raise
        self._metrics.served(self.name, "whole", began_at)
        return answer

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> ProviderStream:
        """See Provider."""
        with self._calling("stream"):
            return self._watched(self._provider.stream(request, call))

    @contextmanager
    def _calling(self, kind: CallKind) -> Iterator[None]:
        began_at = perf_counter()
        try:
            yield
        except BaseException as error:
            self._metrics.broke(self.name, kind, began_at, error)
            raise
        self._metrics.served(self.name, kind, began_at)

    def _watched(self, stream: ProviderStream) -> ProviderStream:
        return _MeasuredStream(stream, self.name, self._metrics)


class MeasuredBackgroundProvider(MeasuredProvider):
    """The same for one with a background mode: each look at a response is a call."""

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer:
        """See BackgroundProvider."""
        with self._calling("background"):
            return self._provider.submit(request, call, key)  # type: ignore[no-any-return]

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream:
        """See BackgroundProvider."""
        with self._calling("background"):
            return self._watched(self._provider.submit_stream(request, call, key))

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
        """See BackgroundProvider."""
        with self._calling("background"):
            return self._provider.retrieve(upstream_id, call)  # type: ignore[no-any-return]

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        """See BackgroundProvider."""
        with self._calling("background"):
            return self._watched(self._provider.retrieve_stream(upstream_id, call, after))

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None:
        """See BackgroundProvider."""
        with self._calling("background"):
            self._provider.cancel(upstream_id, call)


class _MeasuredStream:
    """A stream that tells when its provider breaks it off. What comes through costs nothing."""

    def __init__(self, stream: Any, provider: str, metrics: ProviderMetrics) -> None:
        self.headers: dict[str, str] = stream.headers
        self._stream = stream
        self._provider = provider
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self._stream
        except CallAborted:
            raise
        except Exception as error:
            self._metrics.failed(self._provider, error)
            raise

    def close(self) -> None:
        """See ProviderStream."""
        self._stream.close()
