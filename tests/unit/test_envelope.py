"""A job in the words of the envelope."""

from dataclasses import replace

import orjson
import pytest

from common.envelope import STATUS_OF_WORD, STATUS_WORDS, envelope, summary, timestamp
from common.jobs import JobRecord, JobStatus

RECORD = JobRecord(
    id="job",
    status=JobStatus.QUEUED,
    owner="",
    shape=b'{"model":"m","metadata":{"a":"b"}}',
    attempts=0,
    created_at_ms=1_700_000_000_007,
)
ENDED = replace(
    RECORD,
    attempts=2,
    started_at_ms=1_700_000_001_000,
    completed_at_ms=1_700_000_002_000,
    expires_at_ms=1_700_000_062_000,
)


def shown(record):
    return orjson.loads(orjson.dumps(envelope(record)))


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (1_700_000_000_999, "2023-11-14T22:13:20.999Z"),
    ],
)
def test_times_are_utc_with_milliseconds(at_ms, text):
    assert timestamp(at_ms) == text


def test_every_status_has_a_word_of_its_own():
    assert set(STATUS_WORDS) == set(JobStatus)
    assert STATUS_OF_WORD == {
        "pending": JobStatus.QUEUED,
        "processing": JobStatus.IN_PROGRESS,
        "completed": JobStatus.COMPLETED,
        "failed": JobStatus.FAILED,
        "cancelled": JobStatus.CANCELLED,
    }


def test_a_waiting_job_has_no_ending():
    assert shown(RECORD) == {
        "id": "job",
        "status": "pending",
        "created_at": "2023-11-14T22:13:20.007Z",
        "model": "m",
        "metadata": {"a": "b"},
        "attempts": 0,
        "streamed": False,
    }


def test_a_job_that_will_be_tried_again_says_when():
    waiting = replace(RECORD, attempts=1, next_attempt_at_ms=1_700_000_005_000)
    assert shown(waiting)["next_attempt_at"] == "2023-11-14T22:13:25.000Z"


def test_a_completed_job_has_its_result():
    done = replace(ENDED, status=JobStatus.COMPLETED, result=b'{"id":"resp"}')
    job = shown(done)
    assert (job["status"], job["status_code"], job["result"]) == ("completed", 200, {"id": "resp"})
    assert job["completed_at"] < job["expires_at"]
    assert "result" not in summary(done)


def test_a_failed_job_has_its_error():
    error = {"type": "t", "code": "c", "message": "m", "param": None, "status_code": 429}
    job = shown(replace(ENDED, status=JobStatus.FAILED, error=error | {"provider": "p"}))
    assert (job["status"], job["status_code"]) == ("failed", 429)
    assert job["error"] == {"type": "t", "code": "c", "message": "m", "param": None}


def test_a_cancelled_job_has_neither():
    job = shown(replace(ENDED, status=JobStatus.CANCELLED))
    assert job["status"] == "cancelled"
    assert not {"result", "error", "status_code"} & set(job)
