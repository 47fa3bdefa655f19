"""The cases of a round, in order; rounds follow each other, so that noise hits all alike."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.bench import calls, jobs
from tests.bench.figures import Figures
from tests.bench.jobs import JobLoad
from tests.bench.stage import Stage

Measure = Callable[[Stage, Figures], None]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    seconds: float
    load: JobLoad


QUICK = Extent(1, 0.7, JobLoad(0.7, 1000, 1500, 1000, 30, 100))
FULL = Extent(5, 2.0, JobLoad(2.0, 3000, 3000, 1000, 100, 200))


def measures(extent: Extent) -> dict[str, Measure]:
    """What can be measured, by the name of its case."""
    seconds, load = extent.seconds, extent.load
    found: dict[str, Measure] = {}
    for case in calls.INLINE:
        found[case.name] = partial(calls.measure_inline, case=case, seconds=seconds)
    for case in (calls.BURST, calls.SPACED):
        found[case.name] = partial(calls.measure_streams, case=case, seconds=seconds)
    for case in (calls.CALLS_IN_FLIGHT, calls.STREAMS_IN_FLIGHT, calls.BURSTS_IN_FLIGHT):
        found[case.name] = partial(calls.measure_in_flight, case=case)
    found["submit"] = partial(_submit, load=load)
    found["poll"] = partial(jobs.measure_polls, load=load)
    found["jobs empty"] = partial(jobs.measure_empty_jobs, load=load)
    found["jobs 2 s"] = partial(jobs.measure_slow_jobs, load=load)
    return found


def _submit(stage: Stage, figures: Figures, load: JobLoad) -> None:
    jobs.measure_submit(stage, figures, load)
    if stage.peer:
        jobs.measure_submit_of_peer(stage.peer, stage, figures, load)


def run_rounds(stage: Stage, extent: Extent, only: list[str]) -> Figures:
    """Measure what is named (a beginning of the name will do), or everything."""
    figures = Figures()
    wanted = {
        name: measure
        for name, measure in measures(extent).items()
        if not only or name.startswith(tuple(only))
    }
    for number in range(extent.rounds):
        for name, measure in wanted.items():
            say(f"round {number + 1} of {extent.rounds}: {name}")
            measure(stage, figures)
    return figures


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
