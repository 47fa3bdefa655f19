"""A verdict for people to read, and for programs."""

from collections import Counter
from dataclasses import asdict
from statistics import median
from typing import Any

from tests.chaos.judge import Verdict

SHOWN = 20


def numbers(verdict: Verdict) -> dict[str, Any]:
    """The verdict as JSON-ready values."""
    evidence = verdict.evidence
    alone = [r.seconds for r in verdict.recoveries if not r.others]
    every = [r.seconds for r in verdict.recoveries]
    missed = sum(evidence.announced[job.id] == 0 for job in evidence.accepted)
    return {
        "seconds": round(evidence.seconds, 1),
        "faults": dict(Counter(fault.kind for fault in evidence.faults)),
        "accepted": len(evidence.accepted),
        "refused_503": evidence.statuses[503],
        "refused_but_begun_and_taken_back": len(
            evidence.refused & {call.job for call in evidence.calls}
        ),
        "submits_without_answer": len(evidence.unanswered),
        "ends": dict(verdict.ends),
        "failed_with": dict(verdict.reasons),
        "lost": verdict.ends["not ended"],
        "ended_twice": sum(
            bool(job.changes) or evidence.announced[job.id] > 1 for job in evidence.accepted
        ),
        "announcements_missed": missed,
        "provider_calls": len(evidence.calls),
        "provider_calls_per_job": dict(sorted(verdict.calls_per_job.items())),
        "extra_calls": verdict.extra_calls,
        "extra_calls_unexplained": len(verdict.unexplained),
        "calls_closed_by_us": sum(call.outcome == "left" for call in evidence.calls),
        "kill_to_running_again_seconds": _spread(alone),
        "the_same_under_other_faults_too": _spread(every),
        "two_leases_seconds": 2 * evidence.lease_seconds,
        "left_in_store": evidence.leftovers,
        "violations": verdict.violations,
        "fault_list": [asdict(fault) for fault in evidence.faults],
        "recovery_list": [asdict(recovery) for recovery in verdict.recoveries],
    }


def in_words(verdict: Verdict) -> str:
    """One line for each number, then what was broken."""
    shown = numbers(verdict)
    for long in ("fault_list", "recovery_list"):
        shown.pop(long)
    violations = shown.pop("violations")
    lines = [f"{name.replace('_', ' '):34} {_value(value)}" for name, value in shown.items()]
    lines += [f"VIOLATION: {violation}" for violation in violations[:SHOWN]]
    if len(violations) > SHOWN:
        lines.append(f"... and {len(violations) - SHOWN} more")
    lines.append("broken" if violations else "every promise was kept")
    return "\n".join(lines)


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0}
    return {
        "count": len(seconds),
        "p50": round(median(seconds), 2),
        "max": round(max(seconds), 2),
    }


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {number}" for name, number in value.items()) or "none"
    if isinstance(value, list):
        return f"{len(value)} keys" if value else "nothing"
    return str(value)
