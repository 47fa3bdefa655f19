"""The chaos suite's short form: one of each fault, a few seconds of jobs, every promise kept."""

import pytest

from tests.chaos.judge import Verdict
from tests.chaos.plan import short_plan
from tests.chaos.report import in_words
from tests.chaos.run import run

JOBS = 120


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """What came of a run that every test here looks at."""
    return run(short_plan(JOBS, seed=1), tmp_path_factory.mktemp("chaos"), patience_seconds=30)


def test_every_promise_is_kept_while_everything_is_killed_once(verdict: Verdict) -> None:
    assert not verdict.violations, in_words(verdict)
    assert sum(verdict.ends.values()) == JOBS


def test_the_faults_hit_jobs_that_were_running(verdict: Verdict) -> None:
    assert len(verdict.evidence.faults) == 6
    assert verdict.extra_calls > 0
    assert any(call.outcome == "left" for call in verdict.evidence.calls)


def test_provider_failures_that_may_pass_do_not_show(verdict: Verdict) -> None:
    flaky = [job for job in verdict.evidence.accepted if job.spec.how == "flaky"]
    assert flaky
    assert all(job.answer and job.answer["status"] == "completed" for job in flaky)
