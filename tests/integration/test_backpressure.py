"""Bounds on what waits and on what is kept."""

import pytest
import requests

from common.store.keys import JOBS_QUEUE
from tests.support.calling import check_error, poll_to_the_end, post, submit
from tests.support.upstream import HOLD, json_answer

ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}


@pytest.fixture
def full(narrow):
    """One job runs and four wait: as many as may."""
    narrow.upstream.script = [[HOLD], json_answer(ANSWER)]
    job_ids = [submit(narrow.v1, "m")]
    narrow.upstream.wait_for_requests(1)
    job_ids += [submit(narrow.v1, "m") for _ in range(4)]
    yield narrow
    requests.post(f"{narrow.v1}/responses/{job_ids[0]}/cancel", timeout=10)
    for job_id in job_ids:
        poll_to_the_end(narrow.v1, job_id)


def test_a_full_queue_refuses_a_job_and_keeps_nothing_of_it(full):
    keys = set(full.store.client.keys("*"))
    length = full.store.client.llen(JOBS_QUEUE)
    body = {"model": "m", "input": "x"}
    answer = post(full.v1, body, x_bf_async="true", idempotency_key="refused")
    check_error(answer, 429, "rate_limit_error", "queue_full")
    assert int(answer.headers["retry-after"]) >= 1
    assert set(full.store.client.keys("*")) == keys
    assert full.store.client.llen(JOBS_QUEUE) == length
    assert post(full.v1, {"model": "echo/hello", "input": "x"}).ok  # inline calls go on


def test_a_submit_that_was_accepted_is_replayed_also_when_the_queue_is_full(narrow):
    narrow.upstream.script = [[HOLD], json_answer(ANSWER)]
    first = submit(narrow.v1, "m")
    narrow.upstream.wait_for_requests(1)
    body = {"model": "m", "input": "x"}
    accepted = post(narrow.v1, body, x_bf_async="true", idempotency_key="accepted")
    others = [submit(narrow.v1, "m") for _ in range(3)]
    replayed = post(narrow.v1, body, x_bf_async="true", idempotency_key="accepted")
    assert replayed.content == accepted.content
    requests.post(f"{narrow.v1}/responses/{first}/cancel", timeout=10)
    for job_id in [accepted.json()["id"], *others]:
        assert poll_to_the_end(narrow.v1, job_id)["status"] == "completed"


@pytest.mark.parametrize(("size", "kept"), [(10, True), (2000, False)])
def test_a_long_request_body_leaves_redis_with_the_end_of_its_job(narrow, size, kept):
    narrow.upstream.script = [json_answer(ANSWER)]
    job_id = submit(narrow.v1, "m", input="x" * size)
    poll_to_the_end(narrow.v1, job_id)
    assert bool(narrow.store.client.hexists(narrow.store.keys.job(job_id), "request")) is kept
    assert len(narrow.upstream.seen[0].json["input"]) == size
