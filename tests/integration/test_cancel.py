"""Cancelling: waiting, running and finished jobs, at the gateway and at the provider."""

import json
import threading
import time

import requests

from tests.support.calling import check_error, poll, poll_to_the_end, post, submit
from tests.support.strict import check_response
from tests.support.upstream import HOLD, event, json_answer, sse_head
from tests.support.waiting import wait_until
from worker.leases import BEAT_SECONDS

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}
# Two seconds are promised; a worker looks every second, and this machine may be busy. Who misses
# the news altogether finds out when he looks by himself, after five seconds and more.
BOUND_SECONDS = 4.5


def cancel(base_url, any_id):
    return requests.post(f"{base_url}/responses/{any_id}/cancel", timeout=10)


def cancelled(base_url, job_id):
    answer = cancel(base_url, job_id)
    assert answer.status_code == 200, answer.text
    job = check_response(answer.content)
    assert (job["id"], job["status"], job["output"]) == (job_id, "cancelled", [])
    return job


def test_a_running_job_is_cancelled_and_its_slot_and_upstream_connection_are_free(narrow):
    narrow.upstream.script = [[HOLD], json_answer(ANSWER)]
    running = submit(narrow.v1, "m")
    seen = narrow.upstream.wait_for_requests(1)
    waiting = submit(narrow.v1, "m")
    assert BEAT_SECONDS <= 1
    started = time.monotonic()
    cancelled(narrow.v1, running)
    assert seen.left.wait(BOUND_SECONDS)
    assert poll_to_the_end(narrow.v1, waiting)["status"] == "completed"
    assert time.monotonic() - started < BOUND_SECONDS
    assert poll(narrow.v1, running).json()["status"] == "cancelled"


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(narrow):
    narrow.upstream.script = [[HOLD], json_answer(ANSWER)]
    running = submit(narrow.v1, "m")
    narrow.upstream.wait_for_requests(1)
    waiting = submit(narrow.v1, "m", metadata={"is": "cancelled"})
    last = submit(narrow.v1, "m")
    cancelled(narrow.v1, waiting)
    cancelled(narrow.v1, running)
    assert poll_to_the_end(narrow.v1, last)["status"] == "completed"
    assert len(narrow.upstream.seen) == 2
    assert narrow.record(waiting).attempts == 0


def test_a_parked_job_is_cancelled_and_not_tried_again(narrow):
    error = {"error": {"message": "not now", "code": "busy"}}
    narrow.upstream.script = [
        json_answer(error, status=429, headers={"retry-after": "2"}),
        json_answer(ANSWER),
    ]
    job_id = submit(narrow.v1, "m")
    wait_until(lambda: narrow.record(job_id).next_attempt_at_ms, "the job is parked")
    cancelled(narrow.v1, job_id)
    assert narrow.indexed_jobs() == 0
    assert narrow.record(job_id).next_attempt_at_ms is None


def test_a_streamed_job_is_cancelled_and_its_upstream_connection_is_closed(v1, upstream):
    created = {"type": "response.created", "sequence_number": 0, "response": ANSWER}
    upstream.script = [[sse_head(), event(created), HOLD]]
    body = {"model": "upstream/m", "input": "x", "background": True, "stream": True}
    with requests.post(f"{v1}/responses", json=body, stream=True, timeout=10) as stream:
        lines = stream.iter_lines()
        data = next(line for line in lines if line.startswith(b"data:"))
        job_id = json.loads(data[5:])["response"]["id"]
        seen = upstream.wait_for_requests(1)
        cancelled_job = cancel(v1, job_id).json()
        assert cancelled_job["status"] == "cancelled"
        assert seen.left.wait(BOUND_SECONDS)
        assert b"cancelled" in b"".join(lines)


def test_a_result_that_comes_after_the_cancel_is_dropped(v1, upstream):
    come = threading.Event()
    upstream.script = [[come, json_answer(ANSWER)]]
    job_id = submit(v1, "upstream/m")
    upstream.wait_for_requests(1)
    cancelled(v1, job_id)
    come.set()  # most often before the worker knows that it need not wait
    assert poll(v1, job_id).json()["status"] == "cancelled"
    next_job = submit(v1, "echo/hello")
    poll_to_the_end(v1, next_job)
    assert poll(v1, job_id).json()["status"] == "cancelled"


def test_cancelling_a_finished_job_answers_it_unchanged_by_either_id(v1):
    job_id = submit(v1, "echo/hello")
    finished = poll_to_the_end(v1, job_id)
    assert finished["id"] != job_id
    for any_id in (job_id, finished["id"]):
        answer = cancel(v1, any_id)
        assert (answer.status_code, answer.json()) == (200, finished)


def test_cancelling_a_cancelled_job_answers_it_unchanged(v1):
    job_id = submit(v1, "echo/slow-30s")
    assert cancelled(v1, job_id) == cancelled(v1, job_id)


def test_a_failed_job_stays_failed(v1):
    job_id = submit(v1, "echo/error-400")
    failed = poll_to_the_end(v1, job_id)
    assert failed["status"] == "failed"
    assert cancel(v1, job_id).json() == failed


def test_an_unknown_job_cannot_be_cancelled(base_url):
    check_error(cancel(base_url, UNKNOWN), 404, "invalid_request_error", "job_not_found")


def test_the_sdk_cancels_a_background_response(any_client):
    job = any_client.responses.create(model="echo/slow-30s", input="x", background=True)
    assert job.status in ("queued", "in_progress")
    assert any_client.responses.cancel(job.id).status == "cancelled"
    assert any_client.responses.retrieve(job.id).status == "cancelled"


def test_cancel_ends_a_waiting_poll_at_once(v1):
    job_id = submit(v1, "echo/slow-30s")
    answers = []

    def wait():
        answers.append(post(v1, raw=b"", x_bf_async_id=job_id, prefer="wait=20"))

    waiting = threading.Thread(target=wait)
    waiting.start()
    cancelled(v1, job_id)
    waiting.join(BOUND_SECONDS)
    assert answers[0].json()["status"] == "cancelled"
