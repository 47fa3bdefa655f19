"""The numbers as Prometheus reads them."""

import platform
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from common.metrics.cells import Snapshot
from common.metrics.definitions import ALL, Definition
from common.metrics.store_state import StoreState
from common.version import version

# What of the store is shown: with the limit that jobs are refused at.
StoreShown = tuple[StoreState | None, int]


def exposition(
    snapshot: Snapshot, accept: str | None, store: StoreShown | None = None
) -> tuple[bytes, str]:
    """The body that a scraper with this ``Accept`` header gets, and its content type.

    ``store`` is left out where others show it: it is the same for all processes.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([*_counted(snapshot), _build(), *_stored(store)]))
    encode, content_type = choose_encoder(accept or "")
    return encode(registry), content_type


class _Collected(Collector):
    """Families that were made beforehand."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(snapshot: Snapshot) -> Iterator[Metric]:
    rows: dict[str, list[tuple[tuple[str, ...], list[float]]]] = {}
    for (name, labels), values in snapshot.items():
        rows.setdefault(name, []).append((labels, values))
    for definition in ALL:
        yield _family(definition, sorted(rows.get(definition.name, [])))


def _family(definition: Definition, rows: list[tuple[tuple[str, ...], list[float]]]) -> Metric:
    name, words, labels = definition.name, definition.help, definition.labels
    if definition.kind == "histogram":
        histogram = HistogramMetricFamily(name, words, labels=labels)
        for values, numbers in rows:
            if len(numbers) == definition.width:
                histogram.add_metric(values, _buckets(definition, numbers), numbers[-1])
        return histogram
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    family = kind(name, words, labels=labels)
    for values, numbers in rows:
        family.add_metric(values, numbers[0])
    return family


def _buckets(definition: Definition, numbers: list[float]) -> list[tuple[str, float]]:
    bounds = [_shown(bound) for bound in (*definition.buckets, float("inf"))]
    return list(zip(bounds, accumulate(numbers[:-1]), strict=True))


def _shown(bound: float) -> str:
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text


def _build() -> Metric:
    family = GaugeMetricFamily(
        "muninn_build_info", "What is running; always 1.", labels=("version", "python")
    )
    family.add_metric((version(), platform.python_version()), 1)
    return family


def _stored(store: StoreShown | None) -> Iterator[Metric]:
    if store is None:
        return
    state, max_queued = store
    yield GaugeMetricFamily(
        "muninn_store_up", "Whether the job store answers.", value=float(state is not None)
    )
    yield GaugeMetricFamily(
        "muninn_jobs_queued_max", "Jobs that may wait before a submit is refused.", value=max_queued
    )
    if state is not None:
        yield from _told(state)


def _told(state: StoreState) -> Iterator[Metric]:
    """What is left out while the store is away: nobody knows it then."""
    jobs = GaugeMetricFamily(
        "muninn_jobs",
        "Jobs that are queued, held until it is their turn, parked until a retry, or running.",
        labels=("state",),
    )
    queue = state.queue
    for name, number in (
        ("queued", queue.queued),
        ("held", queue.held),
        ("parked", queue.parked - queue.held),
        ("running", queue.running),
    ):
        jobs.add_metric((name,), number)
    yield jobs
    yield GaugeMetricFamily(
        "muninn_jobs_oldest_queued_seconds",
        "How long the first job that could run has waited; 0 when none waits.",
        value=queue.oldest_waited_seconds or 0.0,
    )
    yield GaugeMetricFamily(
        "muninn_workers", "Worker processes that are there, on all machines.", value=state.workers
    )
