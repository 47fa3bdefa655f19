"""Provider failures of jobs: which are tried again, when, and what the caller sees."""

import time

import pytest

from tests.support.calling import poll, poll_to_the_end, submit
from tests.support.strict import check_response
from tests.support.upstream import CUT, RESET, head, json_answer
from tests.support.waiting import wait_until

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}


def fault(status, code="busy", message="not now", **headers):
    body = {"error": {"type": "vendor_error", "code": code, "message": message}}
    return json_answer(body, status=status, headers=headers)


def test_a_long_retry_after_parks_the_job_visibly_and_frees_its_slot(narrow):
    limited = fault(429, **{"retry-after": "3"})
    narrow.upstream.script = [limited, json_answer(ANSWER)]
    started = time.time()
    job_id = submit(narrow.v1, "m")
    wait_until(lambda: narrow.record(job_id).next_attempt_at_ms, "the job is parked")
    answer = poll(narrow.v1, job_id)
    job = check_response(answer.content)
    assert (job["status"], job["error"]) == ("queued", None)
    assert job["extra_fields"]["attempts"] == 1
    assert started + 2 < job["extra_fields"]["next_attempt_at"] <= started + 5
    assert 2 <= int(answer.headers["retry-after"]) <= 4
    assert int(answer.headers["openai-poll-after-ms"]) > 1500
    # One job at a time, and the next one does not wait for it.
    assert poll_to_the_end(narrow.v1, submit(narrow.v1, "m"))["status"] == "completed"
    assert poll(narrow.v1, job_id).json()["status"] == "queued"
    assert poll_to_the_end(narrow.v1, job_id)["status"] == "completed"
    assert time.time() - started >= 3
    assert len(narrow.upstream.seen) == 3
    record = narrow.record(job_id)
    assert (record.attempts, record.next_attempt_at_ms) == (2, None)


@pytest.mark.parametrize("failure", [fault(503), [RESET]], ids=["5xx", "reset"])
def test_a_failure_that_may_pass_is_tried_again_after_a_pause(narrow, failure):
    times = []
    narrow.upstream.script = [
        [lambda *_: times.append(time.monotonic()), *_pieces(failure)],
        [lambda *_: times.append(time.monotonic()), json_answer(ANSWER)],
    ]
    job_id = submit(narrow.v1, "m")
    assert poll_to_the_end(narrow.v1, job_id)["status"] == "completed"
    assert 0.9 < times[1] - times[0] < 4
    assert narrow.record(job_id).attempts == 2


def test_the_last_error_is_shown_when_all_attempts_fail(narrow):
    narrow.upstream.script = [fault(500, "first"), fault(503, "last", "still not")]
    job = poll_to_the_end(narrow.v1, submit(narrow.v1, "m"))
    assert (job["status"], job["output"]) == ("failed", [])
    assert job["error"] == {"code": "last", "message": "still not"}
    assert job["extra_fields"]["attempts"] == 2
    assert len(narrow.upstream.seen) == 2


def test_a_refused_connection_is_tried_again(narrow):
    job_id = submit(narrow.v1, "down/m")
    job = poll_to_the_end(narrow.v1, job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "provider_error")
    assert job["extra_fields"]["attempts"] == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_failure_that_will_not_pass_fails_the_job_at_once(narrow, status):
    narrow.upstream.script = [fault(status, "bad_thing", "It is bad."), json_answer(ANSWER)]
    job_id = submit(narrow.v1, "m")
    job = check_response(_ended(narrow, job_id).content)
    assert job["error"] == {"code": "bad_thing", "message": "It is bad."}
    assert len(narrow.upstream.seen) == 1
    assert narrow.record(job_id).error["status_code"] == status


def test_an_answer_that_is_cut_is_not_asked_for_again(narrow):
    narrow.upstream.script = [[head({"content-length": "100"}), b'{"id":', CUT]]
    job = poll_to_the_end(narrow.v1, submit(narrow.v1, "m"))
    assert (job["status"], job["error"]["code"]) == ("failed", "provider_error")
    assert len(narrow.upstream.seen) == 1


def test_a_provider_that_is_silent_for_too_long_is_not_asked_again(narrow):
    narrow.upstream.script = [[2.0, json_answer(ANSWER)]]
    job = poll_to_the_end(narrow.v1, submit(narrow.v1, "impatient/m"))
    assert (job["status"], job["error"]["code"]) == ("failed", "provider_timeout")
    assert len(narrow.upstream.seen) == 1


def test_no_attempt_is_planned_for_after_the_deadline(narrow):
    narrow.upstream.script = [fault(429, "quota", "come back", **{"retry-after": "60"})]
    job = poll_to_the_end(narrow.v1, submit(narrow.v1, "m"))  # the deadline is 20 s
    assert (job["status"], job["error"]["code"]) == ("failed", "quota")
    assert len(narrow.upstream.seen) == 1


def _pieces(failure):
    return failure if isinstance(failure, list) else [failure]


def _ended(narrow, job_id):
    poll_to_the_end(narrow.v1, job_id)
    return poll(narrow.v1, job_id)
