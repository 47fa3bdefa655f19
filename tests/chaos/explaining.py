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
FREEZES = (plan.PAUSE_WORKER, plan.FREEZE_WORKER)
FATAL = (plan.KILL_WORKER, plan.TERM_WORKER)


@dataclass(frozen=True, slots=True)
class Recovery:
    """From a kill of a job's worker to the job's next call; ``others`` suffered meanwhile."""

    job: str
    killed_at: float
    seconds: float
    others: bool


def is_explained(call: Call, earlier: list[Call], faults: list[Fault]) -> bool:
    """Whether something happened to the worker of an earlier call while it held the job.

    A first call that the provider answered with a failure that may pass explains the next too; so
    does a worker that froze between its claim and its call and did not know yet that it was late.
    """
    return _had_frozen(call, faults) or any(
        before.outcome.startswith("answered 5") or _was_hit(before, faults)
        for before in earlier
        if before.started <= call.started
    )


def _had_frozen(call: Call, faults: list[Fault]) -> bool:
    return any(
        fault.target == call.worker
        and fault.kind in FREEZES
        and 0.0 <= call.started - fault.ended <= BEFORE_SECONDS
        for fault in faults
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
    for kill in (fault for fault in faults if fault.kind == plan.KILL_WORKER):
        for job, calls in by_job.items():
            again = _next_after(kill, calls)
            if again is not None:
                until = min(again, kill.started + 2 * lease_seconds)
                others = _others_suffered(kill, until, faults, ready_at, lease_seconds)
                found.append(Recovery(job, kill.started, again - kill.started, others))
    return found


def _next_after(kill: Fault, calls: list[Call]) -> float | None:
    """When the job ran again, if the kill ended its newest call."""
    before = [call for call in calls if call.started <= kill.started]
    later = [call.started for call in calls if call.started > kill.started]
    if not before or not later:
        return None
    newest = before[-1]
    was_killed = (
        newest.worker == kill.target
        and newest.outcome == "left"
        and newest.ended is not None
        and abs(newest.ended - kill.started) < AFTER_SECONDS
    )
    return min(later) if was_killed else None


def _others_suffered(
    kill: Fault,
    until: float,
    faults: list[Fault],
    ready_at: dict[str, float],
    lease_seconds: float,
) -> bool:
    """Whether more went wrong at the time than one kill, for which alone two leases are promised.

    When the lease runs out, a worker must be there that has had the store for a while.
    """
    settled_since = kill.started - (JANITOR_QUIET_LEASES - 1) * lease_seconds - 1.0
    others = [fault for fault in faults if fault is not kill and fault.target != "front"]
    troubled = any(
        fault.started <= until
        and fault.ended >= (kill.started if fault.kind in FATAL else settled_since)
        for fault in others
    )
    dead = {fault.target for fault in faults if fault.kind in FATAL and fault.started <= until}
    settled = {name for name, ready in ready_at.items() if ready <= settled_since} - dead
    return troubled or not settled
