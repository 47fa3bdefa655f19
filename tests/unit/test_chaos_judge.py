"""The chaos suite's judge: what it lets pass, and what it must not."""

from collections import Counter
from typing import Any

from tests.chaos.clients import Accepted
from tests.chaos.faults import Fault
from tests.chaos.judge import Evidence, judge
from tests.chaos.plan import (
    CUT_WORKER,
    KILL_STORE,
    KILL_WORKER,
    PAUSE_WORKER,
    WHOLE,
    JobSpec,
    random_plan,
)
from tests.chaos.provider import Call

KILL = Fault(KILL_WORKER, "w0", 10.0, 10.0)


def accepted(number: int = 2, **changes: Any) -> Accepted:
    spec = JobSpec("job", 0.0, 1.0, WHOLE)
    job = Accepted("job.0", "id", spec, {"id": f"resp_{number}", "status": "completed"})
    for name, value in changes.items():
        setattr(job, name, value)
    return job


def call(number: int, worker: str, started: float, ended: float, outcome: str) -> Call:
    return Call(number, "job.0", worker, started, ended, outcome)


def violations(*calls: Call, **changes: Any) -> list[str]:
    evidence: dict[str, Any] = {
        "accepted": [accepted(calls[-1].number if calls else 0)],
        "refused": set(),
        "unanswered": set(),
        "statuses": Counter({200: 1}),
        "calls": list(calls),
        "faults": [KILL],
        "announced": Counter({"id": 1}),
        "ready_at": {"w0": 0.0, "w1": 0.0},
        "lease_seconds": 3.0,
        "leftovers": [],
        "stored": {"job.0"},
        "stubborn": [],
        "harness_failures": [],
    }
    return judge(Evidence(**{**evidence, **changes})).violations


CUT_SHORT = call(1, "w0", 9.0, 10.0, "left")
AGAIN = call(2, "w1", 14.0, 15.0, "answered")


def test_a_call_that_a_kill_ended_explains_the_next() -> None:
    assert violations(CUT_SHORT, AGAIN) == []


def test_a_second_call_without_a_fault_is_unexplained() -> None:
    assert "unexplained" in violations(CUT_SHORT, AGAIN, faults=[])[0]


def test_a_fault_of_another_worker_explains_nothing() -> None:
    found = violations(CUT_SHORT, AGAIN, faults=[Fault(CUT_WORKER, "w1", 9.0, 11.0)])
    assert "unexplained" in found[0]


def test_a_worker_that_froze_between_claim_and_call_explains_its_late_call() -> None:
    frozen = Fault(PAUSE_WORKER, "w1", 10.0, 13.8)
    answered = call(1, "w0", 12.0, 13.0, "answered")
    assert violations(answered, AGAIN, faults=[frozen]) == []
    assert violations(answered, AGAIN, faults=[]) != []


def test_an_answer_in_hand_while_the_store_is_away_can_still_be_lost_by_a_kill() -> None:
    answered = call(1, "w0", 1.0, 2.0, "answered")
    away = Fault(KILL_STORE, "store", 2.5, 8.0)
    assert violations(answered, AGAIN, faults=[away, KILL]) == []
    assert violations(answered, AGAIN, faults=[KILL]) != []


def test_a_job_that_runs_again_too_late_after_a_single_kill_is_a_violation() -> None:
    late = call(2, "w1", 16.5, 17.0, "answered")
    assert "6.5 s after a kill" in violations(CUT_SHORT, late)[0]
    cut = Fault(CUT_WORKER, "w1", 11.0, 14.0)
    assert violations(CUT_SHORT, late, faults=[KILL, cut]) == []


def test_what_was_lost_changed_left_or_announced_twice_is_a_violation() -> None:
    ended = call(1, "w0", 1.0, 2.0, "answered")
    lost = [accepted(answer=None)]
    assert "lost" in violations(ended, accepted=lost)[0]
    changed = [accepted(1, changes=["completed became failed"])]
    assert "changed" in violations(ended, accepted=changed)[0]
    assert "twice" in violations(ended, announced=Counter({"id": 2}))[0].replace("2 times", "twice")
    assert "left in the store" in violations(ended, leftovers=["muninn:x"])[0]
    assert "refused and yet" in violations(ended, refused={"job.0"})[0]


def test_the_same_seed_gives_the_same_plan() -> None:
    first, again, other = (random_plan(50, seed, 60.0, 3, 3.0, 5.0) for seed in (1, 1, 2))
    assert first == again
    assert first != other
