"""What was promised, held against what was seen. Pure."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.chaos.clients import Accepted
from tests.chaos.explaining import Recovery, is_explained, recoveries
from tests.chaos.faults import Fault
from tests.chaos.plan import REFUSED
from tests.chaos.provider import Call

EXPECTED_FAILURES = {"asked_for", "worker_lost"}


@dataclass
class Evidence:
    """Everything that was seen in a run."""

    accepted: list[Accepted]
    refused: set[str]
    unanswered: set[str]
    statuses: Counter[int]
    calls: list[Call]
    faults: list[Fault]
    announced: Counter[str]
    ready_at: dict[str, float]
    lease_seconds: float
    leftovers: list[str]
    stored: set[str]
    stubborn: list[str]
    harness_failures: list[str]
    seconds: float = 0.0


@dataclass
class Verdict:
    """The numbers, and every promise that was broken, in words."""

    evidence: Evidence
    ends: Counter[str]
    reasons: Counter[str]
    calls_per_job: Counter[int]
    extra_calls: int
    unexplained: list[Call]
    recoveries: list[Recovery]
    violations: list[str] = field(default_factory=list)

    def expect(self, is_kept: bool, violation: str) -> None:
        if not is_kept:
            self.violations.append(violation)


def judge(evidence: Evidence) -> Verdict:
    """Every promise, one after the other."""
    by_job: dict[str, list[Call]] = defaultdict(list)
    for call in evidence.calls:
        by_job[call.job].append(call)
    verdict = Verdict(
        evidence,
        ends=Counter(_status(job) for job in evidence.accepted),
        reasons=Counter(_code(job) for job in evidence.accepted if _status(job) == "failed"),
        calls_per_job=Counter(len(calls) for calls in by_job.values()),
        extra_calls=sum(len(calls) - 1 for calls in by_job.values()),
        unexplained=_unexplained(by_job, evidence.faults),
        recoveries=recoveries(by_job, evidence.faults, evidence.ready_at, evidence.lease_seconds),
    )
    _check_ends(verdict)
    _check_calls(verdict, by_job)
    _check_recoveries(verdict)
    _check_rest(verdict)
    return verdict


def _status(job: Accepted) -> str:
    return str(job.answer["status"]) if job.answer else "not ended"


def _code(job: Accepted) -> str:
    error = (job.answer or {}).get("error") or {}
    return str(error.get("code"))


def _unexplained(by_job: dict[str, list[Call]], faults: list[Fault]) -> list[Call]:
    return [
        call
        for calls in by_job.values()
        for n, call in enumerate(calls)
        if n and not is_explained(call, calls[:n], faults)
    ]


def _check_ends(verdict: Verdict) -> None:
    evidence = verdict.evidence
    for job in evidence.accepted:
        where = f"{job.token} {job.id}"
        verdict.expect(job.answer is not None, f"lost: {where}")
        verdict.expect(not job.changes, f"changed after its end: {where}: {job.changes[:3]}")
        heard = evidence.announced[job.id]
        verdict.expect(heard <= 1, f"announced {heard} times: {where}")
        status, code = _status(job), _code(job)
        if status == "failed":
            verdict.expect(code in EXPECTED_FAILURES, f"failed with {code}: {where}")
        if code == "asked_for":
            verdict.expect(job.spec.how == REFUSED, f"failed for no reason: {where}")
    ids = Counter(job.id for job in evidence.accepted)
    verdict.expect(max(ids.values(), default=1) == 1, "one id was given to two jobs")


def _check_calls(verdict: Verdict, by_job: dict[str, list[Call]]) -> None:
    for call in verdict.unexplained:
        verdict.violations.append(f"unexplained call {call.number} of {call.job} by {call.worker}")
    for token in sorted(verdict.evidence.refused & verdict.evidence.stored):
        verdict.violations.append(f"was refused and yet is there: {token}")
    by_number = {call.number: call for call in verdict.evidence.calls}
    for job in verdict.evidence.accepted:
        if _status(job) == "completed":
            number = int(str((job.answer or {})["id"]).removeprefix("resp_"))
            came_from = by_number[number].job
            verdict.expect(came_from == job.token, f"{job.token} has the answer of {came_from}")
        elif _code(job) == "worker_lost":
            # Three workers must have been lost; each may have been hit before its call was made.
            verdict.expect(len(by_job[job.token]) <= 3, f"called too often: {job.token}")


def _check_recoveries(verdict: Verdict) -> None:
    limit = 2 * verdict.evidence.lease_seconds
    for recovery in verdict.recoveries:
        in_time = recovery.seconds <= limit or recovery.others
        late = f"{recovery.job} ran again {recovery.seconds:.1f} s after a kill"
        verdict.expect(in_time, late)


def _check_rest(verdict: Verdict) -> None:
    evidence = verdict.evidence
    for key in evidence.leftovers:
        verdict.violations.append(f"left in the store: {key}")
    for name in evidence.stubborn:
        verdict.violations.append(f"did not stop when told to: {name}")
    for failure in evidence.harness_failures:
        verdict.violations.append(f"the harness failed: {failure}")
    odd = sorted(set(evidence.statuses) - {200, 503})
    verdict.expect(not odd, f"unexpected HTTP statuses: {odd}")
