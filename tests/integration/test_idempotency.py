"""Idempotency-Key: a submit that is repeated makes no second job and no second paid call."""

import json
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.calling import check_error, poll, poll_to_the_end, post
from tests.support.processes import HOST
from tests.support.upstream import HOLD, json_answer
from tests.support.waiting import wait_until

BODY = {"model": "upstream/m", "input": "x"}
ANSWER = {
    "id": "resp_of_upstream",
    "object": "response",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [],
}
REPLAYED = "idempotent-replayed"


@pytest.fixture
def key():
    return uuid.uuid4().hex


def submit(v1, key, body=BODY, **headers):
    return post(v1, body, x_bf_async="true", idempotency_key=key, **headers)


def test_the_same_key_and_body_answer_the_same_job(base_url, key):
    body = {"model": "echo/hello", "input": "x"}
    first, second = submit(base_url, key, body), submit(base_url, key, body)
    assert first.status_code == second.status_code == 200
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert first.content == second.content


def test_a_repeated_submit_says_queued_also_when_the_job_has_ended(v1, key):
    body = {"model": "echo/hello", "input": "x"}
    first = submit(v1, key, body)
    poll_to_the_end(v1, first.json()["id"])
    assert submit(v1, key, body).content == first.content


def test_a_repeated_submit_that_waits_gets_the_answer(v1, key):
    body = {"model": "echo/hello", "input": "x"}
    submit(v1, key, body)
    answer = submit(v1, key, body, prefer="wait=20")
    assert answer.json()["status"] == "completed"
    assert answer.headers[REPLAYED] == "true"


def test_the_same_key_with_another_body_is_refused(v1, key):
    submit(v1, key, {"model": "echo/hello", "input": "x"})
    answer = submit(v1, key, {"model": "echo/hello", "input": "y"})
    check_error(
        answer, 422, "invalid_request_error", "idempotency_key_reused", param="idempotency-key"
    )
    assert REPLAYED not in answer.headers


def test_submits_at_the_same_time_make_one_job_and_one_provider_call(v1, upstream, key):
    upstream.script = [json_answer(ANSWER)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: submit(v1, key), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    [job_id] = {answer.json()["id"] for answer in answers}
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert poll_to_the_end(v1, job_id)["status"] == "completed"
    assert len(upstream.seen) == 1


def test_a_submit_repeated_after_a_timeout_makes_no_second_call(v1, muninn, upstream, key):
    upstream.script = [[HOLD]]
    body = json.dumps(BODY).encode()
    head = (
        f"POST /openai/v1/responses HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n"
        f"x-bf-async: true\r\nidempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((HOST, muninn.port)) as impatient:
        impatient.sendall(head.encode() + body)
        upstream.wait_for_requests(1)  # and it leaves without an answer
    repeated = submit(v1, key)
    assert repeated.headers[REPLAYED] == "true"
    requests.post(f"{v1}/responses/{repeated.json()['id']}/cancel", timeout=10)
    assert len(upstream.seen) == 1


def test_keys_belong_to_bodies_as_they_were_sent(v1, key):
    """Also through `background`, as an SDK submits; the header makes no other body of it."""
    body = {"model": "echo/hello", "input": "x", "background": True}
    first = post(v1, body, idempotency_key=key)
    assert post(v1, body, idempotency_key=key).json()["id"] == first.json()["id"]


def test_after_delete_the_key_makes_a_new_job(v1, key):
    body = {"model": "echo/hello", "input": "x"}
    job_id = submit(v1, key, body).json()["id"]
    poll_to_the_end(v1, job_id)
    assert requests.delete(f"{v1}/responses/{job_id}", timeout=10).ok
    again = submit(v1, key, {"model": "echo/hello", "input": "another"})
    assert again.status_code == 200
    assert REPLAYED not in again.headers
    assert poll_to_the_end(v1, again.json()["id"])["output_text"] == "another"


def test_after_its_expiry_the_key_makes_a_new_job(v1, key):
    body = {"model": "echo/hello", "input": "x"}
    job_id = submit(v1, key, body, x_bf_async_job_result_ttl="1").json()["id"]
    wait_until(lambda: poll(v1, job_id).status_code == 404, "the job expires")
    again = submit(v1, key, body)
    assert REPLAYED not in again.headers
    assert poll_to_the_end(v1, again.json()["id"])["status"] == "completed"


def test_without_a_key_each_submit_is_a_job_of_its_own(v1):
    ids = {post(v1, {"model": "echo/x", "input": "x"}, x_bf_async="true").json()["id"]}
    ids |= {post(v1, {"model": "echo/x", "input": "x"}, x_bf_async="true").json()["id"]}
    assert len(ids) == 2


def test_a_key_that_is_too_long_is_refused(v1):
    answer = submit(v1, "k" * 256)
    check_error(answer, 400, "invalid_request_error", "invalid_value", param="idempotency-key")
    assert submit(v1, "k" * 255, {"model": "echo/hello", "input": "x"}).status_code == 200


def test_the_sdks_own_retries_can_carry_a_key(client, key):
    create = client.responses.with_raw_response.create
    options = {"model": "echo/hello", "input": "x", "background": True}
    first = create(**options, extra_headers={"Idempotency-Key": key})
    second = create(**options, extra_headers={"Idempotency-Key": key})
    assert second.headers[REPLAYED] == "true"
    assert first.parse().id == second.parse().id
