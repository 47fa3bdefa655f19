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
    due_at = wait_until(lambda: narrow.record(job_id).next_attempt_at_ms, "it is parked") / 1000
    parked_at = time.time()
    answer = poll(narrow.v1, job_id)
    job = check_response(answer.content)
    assert (job["status"], job["error"]) == ("queued", None)
    assert job["extra_fields"]["attempts"] == 1
    assert started + 3 <= due_at <= parked_at + 4
    assert abs(job["extra_fields"]["next_attempt_at"] - due_at) < 1
    least_seconds, most_seconds = due_at - time.time(), due_at - parked_at
    assert least_seconds <= int(answer.headers["retry-after"]) <= most_seconds + 1
    assert int(answer.headers["openai-poll-after-ms"]) > 1000 * least_seconds - 1
    # One job at a time, and the next one does not wait for it.
    next_id = submit(narrow.v1, "m", input="the next one")
    assert poll_to_the_end(narrow.v1, next_id)["status"] == "completed"
    assert poll_to_the_end(narrow.v1, job_id)["status"] == "completed"
    assert time.time() - started >= 3
    assert [seen.json["input"] for seen in narrow.upstream.seen] == ["hi", "the next one", "hi"]
    record = narrow.record(job_id)
    assert (record.attempts, record.next_attempt_at_ms) == (2, None)


class Vendor:
    """What each model does, call by call; the last again and again. Knows when it was called."""

    def __init__(self, **scripts):
        self.scripts = scripts
        self.called_at = {model: [] for model in scripts}

    def __call__(self, peer, seen):
        times = self.called_at[seen.json["model"]]
        script = self.scripts[seen.json["model"]]
        times.append(time.monotonic())
        step = script[min(len(times), len(script)) - 1]
        peer.reset() if step is RESET else peer.send(step)


def test_failures_that_may_pass_are_tried_again_after_a_pause(narrow):
    """All at once, for the sake of the pauses: none holds the one slot."""
    vendor = Vendor(
        overloaded=[fault(503), json_answer(ANSWER)],
        reset=[RESET, json_answer(ANSWER)],
        hopeless=[fault(500, "first"), fault(503, "last", "still not")],
    )
    narrow.upstream.script = [vendor]
    # A reset is one only on a new connection: an idle one may be closed by the server any time.
    models = ("reset", "overloaded", "hopeless", "down/m")
    job_ids = {}
    for model in models:  # four may wait at once
        job_ids[model] = submit(narrow.v1, model)
        wait_until(lambda job_id=job_ids[model]: narrow.record(job_id).attempts, "it has begun")
    ends = {model: poll_to_the_end(narrow.v1, job_ids[model]) for model in models}
    assert {narrow.record(job_id).attempts for job_id in job_ids.values()} == {2}
    for model, (first, second) in vendor.called_at.items():
        assert 0.9 < second - first < 5, model
    assert ends["overloaded"]["status"] == ends["reset"]["status"] == "completed"
    # When all attempts have failed, the last error is shown.
    assert ends["hopeless"]["error"] == {"code": "last", "message": "still not"}
    assert ends["hopeless"]["extra_fields"]["attempts"] == 2
    assert (ends["down/m"]["status"], ends["down/m"]["error"]["code"]) == (
        "failed",
        "provider_error",
    )


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


def _ended(narrow, job_id):
    poll_to_the_end(narrow.v1, job_id)
    return poll(narrow.v1, job_id)
