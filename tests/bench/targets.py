"""What the figures shall reach, and whether they do."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.figures import DIRECT, MUNINN, PEER, Figures, Spread

Reading = Callable[[Figures], Spread | None]


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table. ``must`` and ``aim`` are bounds from above for what is added and
    used, and from below (``more_is_better``) for what is done."""

    what: str
    unit: str
    must: float
    aim: float
    more_is_better: bool
    read: Reading

    def verdict(self, value: float) -> str:
        """``aim``, ``must`` or ``missed``."""
        for bound, word in ((self.aim, "aim"), (self.must, "must")):
            if value >= bound if self.more_is_better else value <= bound:
                return word
        return "missed"


def _own(case: str, figure: str) -> Reading:
    return lambda figures: figures.spread(case, MUNINN, figure)


def _times_peer(case: str, figure: str) -> Reading:
    return lambda figures: figures.ratio(case, figure, PEER)


def _added(case: str, figure: str) -> Reading:
    return lambda figures: figures.difference(case, figure, DIRECT)


TARGETS = [
    Target("inline, 2 KB, 50 connections, against the peer", "times", 20, 45, True,
           _times_peer("inline 2 KB c50", "per_second")),
    Target("CPU added per inline request", "ms", 0.40, 0.20, False,
           _own("inline 2 KB c50", "cpu_ms")),
    Target("inline, 1 connection: median latency added", "ms", 0.6, 0.3, False,
           _added("inline 2 KB c1", "p50_ms")),
    Target("streams of 100 burst events, against the peer", "times", 60, 150, True,
           _times_peer("stream burst c50", "per_second")),
    Target("CPU per relayed event in a burst", "µs", 10, 4, False,
           _own("stream burst c50", "cpu_us_per_event")),
    Target("time to first event added, 100 streams", "ms", 1.0, 0.5, False,
           _added("stream spaced c100", "first_event_p50_ms")),
    Target("1,000 inline calls of 1 s in flight: failed", "calls", 0, 0, False,
           _own("in flight 1000 calls", "errors")),
    Target("1,000 inline calls of 1 s in flight: memory", "MB", 200, 100, False,
           _own("in flight 1000 calls", "peak_mb")),
    Target("1,000 streams in flight: failed", "streams", 0, 0, False,
           _own("in flight 1000 streams", "errors")),
    Target("1,000 streams in flight: memory", "MB", 200, 100, False,
           _own("in flight 1000 streams", "peak_mb")),
    Target("submit, 50 connections", "/s", 3000, 6000, True,
           _own("submit c50", "per_second")),
    Target("poll, 2 KB, 50 connections", "/s", 5000, 10000, True,
           _own("poll finished 2 KB c50", "per_second")),
    Target("submit to result readable, idle, echo", "ms", 15, 5, False,
           _own("echo job", "p50_ms")),
    Target("worker CPU per job", "ms", 2.0, 1.0, False,
           _own("jobs empty", "worker_cpu_ms")),
    Target("calls of 2 s in flight in one worker", "calls", 1000, 2000, True,
           _own("jobs 2 s", "most_in_flight")),
    Target("memory per call in flight in a worker", "KB", 80, 50, False,
           _own("jobs 2 s", "kb_per_call")),
    Target("submit against the peer's background mode", "times", 40, 100, True,
           _times_peer("submit c50", "per_second")),
    Target("jobs end to end against the peer's background mode", "times", 10, 20, True,
           _times_peer("jobs empty", "per_second")),
]  # fmt: skip
