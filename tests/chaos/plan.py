"""What will be done to whom and when: all of it decided by a seed, before anything runs."""

import random
from dataclasses import dataclass

from tests.chaos.keys import BOUNDED, FREE

KILL_WORKER = "kill -9 worker"
TERM_WORKER = "SIGTERM worker"
PAUSE_WORKER = "SIGSTOP worker"
CUT_WORKER = "cut worker off"
FREEZE_WORKER = "black hole around worker"
KILL_FRONT = "kill -9 front"
KILL_STORE = "kill -9 store"

WORKER_FAULTS = (KILL_WORKER, TERM_WORKER, PAUSE_WORKER, CUT_WORKER, FREEZE_WORKER)
KINDS = (*WORKER_FAULTS, KILL_FRONT, KILL_STORE)
WEIGHTS = (5, 3, 3, 2, 2, 2, 2)

# How the provider answers a job: at once or as a stream, after a first failure, or never well.
WHOLE, STREAMED, FLAKY, REFUSED = "whole", "streamed", "flaky", "refused"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job to submit: what the provider shall do with it, for how long, and whose it is."""

    token: str
    at_seconds: float
    hold_seconds: float
    how: str
    key: str = FREE


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault, when it begins, and how long it lasts (a pause, a cut, or until a restart)."""

    kind: str
    at_seconds: float
    lasts_seconds: float
    worker: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. The same seed gives the same plan."""

    jobs: list[JobSpec]
    faults: list[PlannedFault]
    workers: int
    lease_seconds: float
    grace_seconds: float


def random_plan(
    jobs: int, seed: int, seconds: float, workers: int, lease_seconds: float, gap_seconds: float
) -> Plan:
    """Jobs of 0.1 to 5 s, evenly submitted, under faults ``gap_seconds`` apart on average."""
    rng = random.Random(seed)
    specs = _job_specs(rng, [n * seconds / jobs for n in range(jobs)], 0.1, 5.0)
    faults: list[PlannedFault] = []
    at = 2.0
    while at < seconds:
        faults.append(_random_fault(rng, at, workers, lease_seconds))
        at += 0.5 + rng.expovariate(1 / (gap_seconds - 0.5))
    return Plan(specs, faults, workers, lease_seconds, grace_seconds=2.0)


def short_plan(jobs: int, seed: int) -> Plan:
    """One of each fault, a few seconds apart, on three workers with a short lease."""
    rng = random.Random(seed)
    faults = [
        PlannedFault(KILL_WORKER, 0.6, 0.2, worker=0),
        PlannedFault(PAUSE_WORKER, 1.6, 2.2, worker=1),
        PlannedFault(KILL_FRONT, 2.6, 0.1),
        PlannedFault(KILL_STORE, 4.4, 0.2),
        PlannedFault(TERM_WORKER, 5.4, 0.1, worker=2),
        PlannedFault(CUT_WORKER, 6.0, 2.2, worker=1),
    ]
    # In bursts just before each fault, so that each finds jobs in hand.
    times = [faults[n % len(faults)].at_seconds - 0.2 for n in range(jobs)]
    specs = _job_specs(rng, sorted(times), 0.3, 1.2)
    return Plan(specs, faults, 3, lease_seconds=1.5, grace_seconds=0.1)


def _job_specs(
    rng: random.Random, times: list[float], shortest: float, longest: float
) -> list[JobSpec]:
    """A job for each time; most are answered well."""
    hows = rng.choices((WHOLE, STREAMED, FLAKY, REFUSED), (70, 22, 5, 3), k=len(times))
    keys = rng.choices((BOUNDED, FREE), (20, 80), k=len(times))
    return [
        JobSpec(f"job-{n}", at, round(rng.uniform(shortest, longest), 3), how, key)
        for n, (at, how, key) in enumerate(zip(times, hows, keys, strict=True))
    ]


def _random_fault(
    rng: random.Random, at: float, workers: int, lease_seconds: float
) -> PlannedFault:
    kind = rng.choices(KINDS, WEIGHTS)[0]
    if kind in (PAUSE_WORKER, CUT_WORKER, FREEZE_WORKER):
        # Most reach past the lease, some do not.
        lasts = rng.uniform(0.5, 2.2) * lease_seconds
    else:
        lasts = rng.uniform(0.1, 1.5)
    return PlannedFault(kind, at, lasts, worker=rng.randrange(workers))
