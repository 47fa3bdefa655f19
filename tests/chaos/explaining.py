"""Why a job was called for more than once, and how long it took to run again. Pure."""

from dataclasses import dataclass

from tests.chaos import plan
from tests.chaos.faults import Fault
from tests.chaos.provider import Call

# From a claim to the call, and from an answer to its being written.
BEFORE_SECONDS = 1.0
AFTER_SECONDS = 1.0
# A worker that lost the store tries again this much later at most, and a little is for its work.
RECONNECT_SECONDS = 3.0
JANITOR_QUIET_LEASES = 1.5


@dataclass(frozen=True, slots=True)
class Recovery:
    """From a kill of a job's worker to the job's next call; ``others`` suffered meanwhile."""

    job: str
    killed_at: float
    seconds: float
    others: bool


def is_explained(call: Call, earlier: list[Call], faults: list[Fault]) -> bool:
    """Whether something happened to the worker of an earlier call while it held the job.

    A first call that the provider answered with a failure that may pass explains the next too.
    """
    return any(
        before.outcome.startswith("answered 5") or _was_hit(before, faults)
        for before in earlier
        if before.started <= call.started
    )


def _was_hit(call: Call, faults: list[Fault]) -> bool:
    held_until = _held_until(call, faults)
    return any(
        fault.target == call.worker
        and fault.started <= held_until
        and fault.ended >= call.started - BEFORE_SECONDS
        for fault in faults
    )


def _held_until(call: Call, faults: list[Fault]) -> float:
    """Until when the worker may have had the answer in hand: longer while the store is away."""
    until = (call.ended if call.ended is not None else float("inf")) + AFTER_SECONDS
    for fault in sorted(faults, key=lambda fault: fault.started):
        away = fault.target == "store" or fault.target == call.worker
        if away and call.started <= fault.ended and fault.started <= until:
            until = max(until, fault.ended + RECONNECT_SECONDS)
    return until


def recoveries(
    by_job: dict[str, list[Call]],
    faults: list[Fault],
    ready_at: dict[str, float],
    lease_seconds: float,
) -> list[Recovery]:
    """One for each call that a ``kill -9`` of its worker ended and that was made again."""
    found = []
    for fault in faults:
        if fault.kind != plan.KILL_WORKER:
            continue
        others = _others_suffered(fault, faults, ready_at, lease_seconds)
        for job, calls in by_job.items():
            again = _next_after_kill(calls, fault)
            if again is not None:
                seconds = again - fault.started
                found.append(Recovery(job, fault.started, seconds, others))
    return found


def _next_after_kill(calls: list[Call], kill: Fault) -> float | None:
    killed = [
        call
        for call in calls
        if call.worker == kill.target
        and call.outcome == "left"
        and call.ended is not None
        and abs(call.ended - kill.started) < AFTER_SECONDS
    ]
    later = [call.started for call in calls if call.started > kill.started]
    # With two calls at once an overtaken one may have been still running.
    alone = killed and max(calls_started(calls, kill.started)) == killed[-1].started
    return min(later) if alone and later else None


def calls_started(calls: list[Call], until: float) -> list[float]:
    return [call.started for call in calls if call.started <= until]


def _others_suffered(
    kill: Fault, faults: list[Fault], ready_at: dict[str, float], lease_seconds: float
) -> bool:
    """Whether more than one thing was wrong, so that the promise of two leases does not hold."""
    begin = kill.started - JANITOR_QUIET_LEASES * lease_seconds - 1.0
    end = kill.started + 2 * lease_seconds
    near = [f for f in faults if f is not kill and f.target != "front" and _overlaps(f, begin, end)]
    settled = [
        name
        for name, ready in ready_at.items()
        if name != kill.target and ready <= begin and not _died_before(name, faults, end)
    ]
    return bool(near) or not settled


def _overlaps(fault: Fault, begin: float, end: float) -> bool:
    return fault.started <= end and fault.ended >= begin


def _died_before(name: str, faults: list[Fault], end: float) -> bool:
    fatal = (plan.KILL_WORKER, plan.TERM_WORKER)
    return any(f.target == name and f.kind in fatal and f.started <= end for f in faults)
