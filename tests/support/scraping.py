"""Reading `/metrics` as Prometheus does."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from common.metrics import Metrics
from common.metrics.exposition import exposition


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels; 0 when there is none."""
        return sum(s.value for s in self.samples if s.name == name and _has(s.labels, labels))

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label of a metric has."""
        return {s.labels[label] for s in self.samples if s.name == name}

    def names(self) -> set[str]:
        return {sample.name for sample in self.samples}


def _has(given: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= given.items()


def shown(metrics: Metrics) -> Scrape:
    """What a process' own counts look like to Prometheus."""
    return Scrape(exposition(metrics.snapshot(), None)[0].decode())
