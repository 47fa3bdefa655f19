"""Counts the calls of providers, by looking on."""

from collections.abc import Iterator
from functools import partial
from time import perf_counter

from common.errors import CallAborted
from common.metrics.provider_calls import ProviderMetrics
from common.providers.base import Batch, ProviderStream
from common.providers.observed import Asked, CallWatch, Observer


def counted_calls(metrics: ProviderMetrics) -> Observer:
    """Counts every call that it sees."""
    return partial(_CountedCall, metrics)


class _CountedCall(CallWatch):
    __slots__ = ("_began_at", "_kind", "_metrics", "_provider")

    def __init__(self, metrics: ProviderMetrics, provider: str, asked: Asked, _: object) -> None:
        self._metrics = metrics
        self._provider = provider
        self._kind = asked.kind
        self._began_at = perf_counter()

    def answered(self, result: object) -> None:
        self._metrics.served(self._provider, self._kind, self._began_at)

    def failed(self, error: BaseException) -> None:
        self._metrics.broke(self._provider, self._kind, self._began_at, error)

    def through(self, stream: ProviderStream) -> Iterator[Batch]:
        """What comes through costs nothing; a provider that breaks off is counted."""
        try:
            yield from stream
        except CallAborted:
            raise
        except Exception as error:
            self._metrics.failed(self._provider, error)
            raise
