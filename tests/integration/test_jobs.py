"""Jobs over real HTTP with a real worker: submit, poll, retrieve, delete, expire."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.calling import (
    check_error,
    poll,
    poll_to_the_end,
    post,
    submit,
    without_ids,
)
from tests.support.strict import check_response
from tests.support.upstream import HOLD, json_answer
from tests.support.vendor import RESPONSE
from tests.support.waiting import wait_until

UNKNOWN = "00000000-0000-4000-8000-000000000000"
JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"


def retrieve(base_url, job_id):
    return requests.get(f"{base_url}/responses/{job_id}", timeout=10)


def delete(base_url, job_id):
    return requests.delete(f"{base_url}/responses/{job_id}", timeout=10)


def test_submit_answers_the_job_at_once(base_url):
    body = {"model": "echo/slow-1s", "input": "x", "metadata": {"a": "b"}}
    answer = post(base_url, body, x_bf_async="true")
    assert answer.status_code == 200
    job = check_response(answer.content)
    expected = {
        "object": "response",
        "status": "queued",
        "model": "echo/slow-1s",
        "background": True,
        "output": [],
        "metadata": {"a": "b"},
        "error": None,
        "usage": None,
    }
    assert {name: job[name] for name in expected} == expected
    assert abs(job["created_at"] - time.time()) < 10
    assert int(answer.headers["retry-after"]) >= 1
    assert int(answer.headers["openai-poll-after-ms"]) > 0
    assert delete(base_url, job["id"]).status_code == 200


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_async_is_true_in_any_case(v1, value):
    answer = requests.post(
        f"{v1}/responses",
        json={"model": "echo/hello", "input": "x"},
        headers={"X-BF-Async": value},
        timeout=10,
    )
    assert answer.json()["status"] == "queued"


def test_a_poll_shows_every_state_and_each_is_strictly_valid(base_url, upstream):
    come = threading.Event()
    upstream.script = [[come, json_answer(RESPONSE)]]
    job_id = submit(base_url, "upstream/m", metadata={"a": "b"})

    def running():
        answer = poll(base_url, job_id)
        job = check_response(answer.content)
        assert job["id"] == job_id
        assert answer.headers["retry-after"]
        assert answer.headers["openai-poll-after-ms"]
        return job["status"] == "in_progress" and job

    assert wait_until(running, "the job runs")["output"] == []
    come.set()
    assert poll_to_the_end(base_url, job_id)["status"] == "completed"
    job_id = submit(base_url, "echo/hello", metadata={"a": "b"})
    body = poll_to_the_end(base_url, job_id)
    answer = poll(base_url, job_id)
    assert check_response(answer.content) == body
    assert body["output_text"] == "hi"
    assert body["id"].startswith("resp_")
    assert body["extra_fields"]["model_requested"] == "echo/hello"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("model", ["echo/error-400", "echo/cut-stream", "echo/timeout"])
def test_a_failed_job_is_the_submit_shape_with_the_error_and_status_200(v1, model):
    job_id = submit(v1, model)
    poll_to_the_end(v1, job_id)
    answer = poll(v1, job_id)
    assert answer.status_code == 200
    job = check_response(answer.content)
    assert (job["id"], job["status"], job["output"]) == (job_id, "failed", [])
    assert sorted(job["error"]) == ["code", "message"]
    assert "retry-after" not in answer.headers


def test_a_response_that_failed_at_the_provider_is_shown_as_it_is(v1):
    body = poll_to_the_end(v1, submit(v1, "echo/failed"))
    assert body["status"] == "failed"
    assert body["id"].startswith("resp_")


def test_an_incomplete_response_ends_its_job(v1):
    assert poll_to_the_end(v1, submit(v1, "echo/incomplete"))["status"] == "incomplete"


def test_a_cancelled_job_is_shown_as_cancelled(v1, job_store):
    job_id = submit(v1, "echo/hang")
    wait_until(lambda: poll(v1, job_id).json()["status"] == "in_progress", "the job runs")
    job_store.cancel(job_id)
    job = check_response(poll(v1, job_id).content)
    assert (job["id"], job["status"], job["output"]) == (job_id, "cancelled", [])


@pytest.mark.parametrize("raw", [b"", b"not json", b"\xff\xfe", b"[]", b'{"model": 5}'])
def test_the_body_of_a_poll_is_ignored(v1, raw):
    job_id = submit(v1)
    poll_to_the_end(v1, job_id)
    answer = post(v1, raw=raw, x_bf_async_id=job_id)
    assert answer.json()["status"] == "completed"


def test_a_poll_takes_no_body_and_no_content_type_at_all(v1):
    job_id = submit(v1)
    answer = requests.post(f"{v1}/responses", headers={"x-bf-async-id": job_id}, timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize("also", ["true", "false", "nonsense"])
def test_the_id_header_wins_over_the_async_header(v1, also):
    job_id = submit(v1)
    poll_to_the_end(v1, job_id)
    answer = post(v1, {"model": "echo/hello", "input": "no"}, x_bf_async_id=job_id, x_bf_async=also)
    assert answer.json()["output_text"] == "hi"


@pytest.mark.parametrize("value", ["yes", "1", "truest", "on"])
def test_another_value_of_the_async_header_is_refused(v1, value):
    answer = post(v1, {"model": "echo/hello", "input": "x"}, x_bf_async=value)
    body = check_error(answer, 400, "invalid_request_error", "invalid_value", "x-bf-async")
    assert "x-bf-async" in body["error"]["message"]


def test_a_job_cannot_be_streamed(v1):
    body = {"model": "echo/hello", "input": "x", "stream": True}
    answer = post(v1, body, x_bf_async="true")
    check_error(answer, 400, "invalid_request_error", "invalid_value", "stream")


def test_background_without_store_is_refused(v1):
    body = {"model": "echo/hello", "input": "x", "background": True, "store": False}
    check_error(post(v1, body), 400, "invalid_request_error", "invalid_value", "store")


def test_background_submits_the_same_job_as_the_header(v1):
    answer = post(v1, {"model": "echo/hello", "input": "x", "background": True})
    job = check_response(answer.content)
    assert job["status"] == "queued"
    assert poll_to_the_end(v1, job["id"])["output_text"] == "x"


@pytest.mark.parametrize(
    ("value", "ttl_seconds"),
    [
        (None, 3600),
        ("soon", 3600),
        ("0", 3600),
        ("-5", 3600),
        ("1.5", 3600),
        ("", 3600),
        ("60", 60),
        ("7200", 7200),
        ("7201", 7200),
        ("99999999999999999999999", 3600),
    ],
)
def test_the_ttl_header_counts_from_completion(v1, job_store, value, ttl_seconds):
    headers = {} if value is None else {"x_bf_async_job_result_ttl": value}
    answer = post(v1, {"model": "echo/hello", "input": "x"}, x_bf_async="true", **headers)
    job_id = answer.json()["id"]
    poll_to_the_end(v1, job_id)
    record = job_store.get(job_id)
    assert record.expires_at_ms - record.completed_at_ms == ttl_seconds * 1000
    left_ms = job_store.client.pttl(job_store.keys.job(job_id))
    assert ttl_seconds * 1000 - 20_000 < left_ms <= ttl_seconds * 1000


def test_a_record_expires_after_its_ttl_and_not_while_it_runs(v1, job_store):
    body = {"model": "echo/slow-500ms", "input": "x"}
    answer = post(v1, body, x_bf_async="true", x_bf_async_job_result_ttl="3")
    job_id = answer.json()["id"]
    assert job_store.client.pttl(job_store.keys.job(job_id)) == -1
    response_id = poll_to_the_end(v1, job_id)["id"]
    wait_until(lambda: poll(v1, job_id).status_code == 404, "the record expires")
    check_error(poll(v1, response_id), 404, "invalid_request_error", "job_not_found")
    wait_until(lambda: not keys_about(job_store, job_id, response_id), "no orphan stays")


def keys_about(job_store, job_id, response_id):
    client, keys = job_store.client, job_store.keys
    indexes = [keys.index(name, 0) for name in ("queued", "running", "parked")]
    indexed = [name for name in indexes if client.zscore(name, job_id) is not None]
    return client.exists(keys.job(job_id), keys.alias(response_id)) or indexed


def test_every_way_of_not_being_there_answers_one_and_the_same_body(v1):
    deleted = submit(v1)
    poll_to_the_end(v1, deleted)
    delete(v1, deleted)
    expired = post(
        v1, {"model": "echo/hello", "input": "x"}, x_bf_async="true", x_bf_async_job_result_ttl="1"
    ).json()["id"]
    wait_until(lambda: poll(v1, expired).status_code == 404, "the record expires")
    malformed = ["nonsense", "resp_unknown", "x" * 5000, "%00", JOB_ID.upper()]
    ids = [UNKNOWN, deleted, expired, *malformed]
    answers = [poll(v1, job_id) for job_id in ids]
    answers += [call(v1, job_id) for job_id in ids for call in (retrieve, delete)]
    bodies = [
        without_ids(check_error(answer, 404, "invalid_request_error", "job_not_found"))
        for answer in answers
    ]
    assert all(body == bodies[0] for body in bodies)


def test_an_empty_id_header_is_an_unknown_job(v1):
    check_error(poll(v1, ""), 404, "invalid_request_error", "job_not_found")


def test_the_job_id_and_the_providers_id_both_find_the_job(base_url):
    job_id = submit(base_url)
    response_id = poll_to_the_end(base_url, job_id)["id"]
    answers = [call(base_url, any_id).json() for any_id in (job_id, response_id)
               for call in (poll, retrieve)]  # fmt: skip
    assert [answer["id"] for answer in answers] == [response_id] * 4
    assert delete(base_url, response_id).json() == {
        "id": response_id,
        "object": "response.deleted",
        "deleted": True,
    }
    assert retrieve(base_url, job_id).status_code == 404
    assert retrieve(base_url, response_id).status_code == 404


def test_a_running_job_that_is_deleted_ends_its_provider_call(v1, upstream):
    upstream.script = [HOLD]
    job_id = submit(v1, "upstream/m")
    seen = upstream.wait_for_requests(1)
    assert delete(v1, job_id).json()["deleted"] is True
    assert retrieve(v1, job_id).status_code == 404
    assert seen.left.wait(10)


def test_the_job_id_may_be_given_as_the_previous_response(v1, upstream):
    upstream.script = [json_answer({"id": f"resp_{n}", "output": []}) for n in range(3)]
    job_id = submit(v1, "upstream/m")
    poll_to_the_end(v1, job_id)
    post(v1, {"model": "upstream/m", "input": "x", "previous_response_id": job_id})
    poll_to_the_end(v1, submit(v1, "upstream/m", previous_response_id=job_id))
    assert [seen.json.get("previous_response_id") for seen in upstream.seen] == [
        None,
        "resp_0",
        "resp_0",
    ]


@pytest.mark.parametrize("headers", [{}, {"x_bf_async": "true"}])
def test_a_previous_response_that_is_an_unknown_job_is_refused(v1, headers):
    body = {"model": "echo/hello", "input": "x", "previous_response_id": UNKNOWN}
    check_error(
        post(v1, body, **headers),
        400,
        "invalid_request_error",
        "previous_response_not_found",
        "previous_response_id",
    )


def test_flaky_calls_of_a_job_are_repeated(v1):
    assert poll_to_the_end(v1, submit(v1, "echo/flaky-1"))["output_text"] == "hi"


def test_a_job_for_an_unknown_provider_is_refused_at_submit(v1):
    answer = post(v1, {"model": "nowhere/m", "input": "x"}, x_bf_async="true")
    check_error(answer, 404, "invalid_request_error", "model_not_found", "model")


MIXED = [
    ({"model": "echo/hello"}, "completed", "{input}"),
    ({"model": "echo/slow-20ms"}, "completed", "{input}"),
    ({"model": "echo/structured"}, "completed", None),
    ({"model": "echo/reasoning"}, "completed", "{input}"),
    (
        {"model": "echo/function-call", "tools": [{"type": "function", "name": "f"}]},
        "completed",
        "",
    ),
    ({"model": "echo/error-400"}, "failed", None),
    ({"model": "echo/flaky-1"}, "completed", "{input}"),
    ({"model": "echo/long-20"}, "completed", None),
    ({"model": "echo/incomplete"}, "incomplete", None),
    ({"model": "echo/size-2kb"}, "completed", None),
]


def test_500_jobs_of_mixed_models_are_all_polled_to_the_right_result(client):
    def run(number):
        body, status, text = MIXED[number % len(MIXED)]
        asked = f"job number {number}"
        job = client.responses.create(
            input=asked, metadata={"n": str(number)}, extra_headers={"x-bf-async": "true"}, **body
        )
        polled = wait_until(lambda: ended(job.id), f"job {number} ends", 60)
        assert polled.status == status, (number, polled)
        assert polled.metadata == {"n": str(number)}
        if text is not None:
            assert polled.output_text == text.format(input=asked)

    def ended(job_id):
        polled = client.responses.retrieve(job_id)
        return None if polled.status in ("queued", "in_progress") else polled

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(run, range(500)))
