"""What was measured: samples by case, target and figure, one from each round."""

import statistics
from dataclasses import dataclass
from typing import NamedTuple

MUNINN = "muninn"
DIRECT = "direct"
PEER = "peer"


class Name(NamedTuple):
    """``case`` says what was done, ``target`` to whom, ``figure`` what is told, with its unit."""

    case: str
    target: str
    figure: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds between their extremes."""

    median: float
    least: float
    most: float


class Figures:
    """Collects samples; the median over the rounds is the result."""

    def __init__(self) -> None:
        self.samples: dict[Name, list[float]] = {}

    def add(self, case: str, target: str, **values: float) -> None:
        """One round's figures of a case; each is named with its unit (``cpu_us_per_event``)."""
        for figure, value in values.items():
            self.samples.setdefault(Name(case, target, figure), []).append(value)

    def spread(self, case: str, target: str, figure: str) -> Spread | None:
        """None for what was not measured."""
        samples = self.samples.get(Name(case, target, figure))
        return _spread(samples) if samples else None

    def ratio(self, case: str, figure: str, over: str) -> Spread | None:
        """Muninn's figure over another's, round by round: both had the same noise."""
        ours, theirs = self._pair(case, figure, over)
        return _spread([a / b for a, b in zip(ours, theirs, strict=False) if b])

    def difference(self, case: str, figure: str, minus: str) -> Spread | None:
        """What Muninn adds to another's figure, round by round."""
        ours, theirs = self._pair(case, figure, minus)
        return _spread([a - b for a, b in zip(ours, theirs, strict=False)])

    def _pair(self, case: str, figure: str, other: str) -> tuple[list[float], list[float]]:
        ours = self.samples.get(Name(case, MUNINN, figure), [])
        return ours, self.samples.get(Name(case, other, figure), [])


def _spread(samples: list[float]) -> Spread | None:
    if not samples:
        return None
    return Spread(statistics.median(samples), min(samples), max(samples))


def percentile(values: list[float], percent: float) -> float:
    """The value below which that many percent lie; 0 for none at all."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
