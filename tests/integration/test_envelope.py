"""The gateway's own job envelope over real HTTP: other words for the same jobs."""

import re
import threading
import time
import uuid
from datetime import UTC, datetime

import pytest
import requests

from tests.support.calling import check_error, poll_to_the_end
from tests.support.calling import poll as poll_responses
from tests.support.upstream import HOLD, json_answer
from tests.support.vendor import RESPONSE
from tests.support.waiting import wait_until

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def jobs(muninn):
    return f"{muninn.root}/v1/async/responses"


def submit(jobs, model="echo/hello", headers=None, **fields):
    body = {"model": model, "input": "hi", **fields}
    return requests.post(jobs, json=body, headers=headers, timeout=30)


def submitted(jobs, model="echo/hello", **fields):
    answer = submit(jobs, model, **fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def get(jobs, job_id, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{jobs}/{job_id}", headers=names, timeout=70)


def ended(jobs, job_id):
    answer = wait_until(lambda: (a := get(jobs, job_id)).status_code == 200 and a, "the job ends")
    return answer.json()


def milliseconds(text):
    assert TIMESTAMP.fullmatch(text), text
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return round(at.timestamp() * 1000)


def listed(jobs, **query):
    answer = requests.get(jobs, params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def all_pages(jobs, **query):
    """Every job of the list, page by page."""
    found, page = [], listed(jobs, **query)
    while True:
        found += page["data"]
        assert page["object"] == "list"
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            return found
        page = listed(jobs, **query, after=page["next_cursor"])


def test_submit_answers_202_with_id_status_and_time(jobs):
    answer = submit(jobs, "echo/slow-50ms")
    assert answer.status_code == 202
    assert sorted(answer.json()) == ["created_at", "id", "status"]
    assert answer.json()["status"] == "pending"
    assert abs(milliseconds(answer.json()["created_at"]) / 1000 - time.time()) < 10
    assert str(uuid.UUID(answer.json()["id"])) == answer.json()["id"]
    assert int(answer.headers["retry-after"]) >= 1
    assert int(answer.headers["openai-poll-after-ms"]) > 0


def test_a_job_is_pending_processing_and_completed_in_this_order(jobs, upstream):
    come = threading.Event()
    upstream.script = [[come, json_answer(RESPONSE)]]
    job_id = submitted(jobs, "upstream/m", metadata={"a": "b"})
    seen = []

    def is_ended():
        answer = get(jobs, job_id)
        status = answer.json()["status"]
        assert answer.status_code == (200 if status == "completed" else 202)
        assert ("retry-after" in answer.headers) is (status != "completed")
        seen.append(status)
        if status == "processing":
            come.set()
        return status == "completed"

    wait_until(is_ended, "the job ends")
    assert sorted(set(seen), key=seen.index)[-2:] == ["processing", "completed"]
    assert set(seen) <= {"pending", "processing", "completed"}
    job = get(jobs, job_id).json()
    assert job["status_code"] == 200
    assert job["result"]["output_text"] == "Hi you"
    assert job["result"] == poll_to_the_end(jobs.replace("/async/responses", ""), job_id)
    assert job["metadata"] == {"a": "b"}
    assert "error" not in job
    times = [milliseconds(job[name]) for name in ("started_at", "completed_at", "expires_at")]
    assert times == sorted(times)
    assert times[2] - times[1] == 3600 * 1000


def test_a_failed_job_has_its_status_code_and_error_and_answers_200(jobs):
    job = ended(jobs, submitted(jobs, "echo/error-400"))
    assert (job["status"], job["status_code"]) == ("failed", 400)
    assert {"type", "code", "message"} <= set(job["error"])
    assert job["error"]["message"]
    assert "result" not in job
    assert milliseconds(job["expires_at"]) > milliseconds(job["completed_at"])


def test_cancel_answers_the_cancelled_job_and_leaves_an_ended_one(jobs, upstream):
    upstream.script = [HOLD]
    job_id = submitted(jobs, "upstream/m")
    upstream.wait_for_requests(1)
    answer = requests.post(f"{jobs}/{job_id}/cancel", timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert milliseconds(answer.json()["completed_at"])
    assert not {"result", "error"} & set(answer.json())
    assert get(jobs, job_id).json() == answer.json()
    assert get(jobs, job_id).status_code == 200
    done = submitted(jobs)
    before = ended(jobs, done)
    assert requests.post(f"{jobs}/{done}/cancel", timeout=30).json() == before


def test_delete_removes_the_job(jobs, v1):
    job_id = submitted(jobs)
    ended(jobs, job_id)
    assert requests.delete(f"{jobs}/{job_id}", timeout=30).json()["deleted"] is True
    check_error(get(jobs, job_id), 404, "invalid_request_error", "job_not_found")
    check_error(poll_responses(v1, job_id), 404, "invalid_request_error", "job_not_found")
    assert job_id not in [job["id"] for job in listed(jobs)["data"]]


@pytest.mark.parametrize("verb", ["get", "delete", "cancel"])
def test_an_unknown_job_is_not_found(jobs, verb):
    path = f"{jobs}/{UNKNOWN}" + ("/cancel" if verb == "cancel" else "")
    answer = requests.request("POST" if verb == "cancel" else verb, path, timeout=30)
    check_error(answer, 404, "invalid_request_error", "job_not_found")


def test_one_and_the_same_job_is_seen_from_both_sides(jobs, v1):
    job_id = submitted(jobs, "echo/slow-300ms")
    assert poll_responses(v1, job_id).json()["status"] in ("queued", "in_progress")
    response = poll_to_the_end(v1, job_id)
    assert get(jobs, response["id"]).json()["id"] == job_id


def test_a_bad_request_is_refused_as_everywhere(jobs):
    answer = requests.post(jobs, data=b"[]", timeout=30)
    check_error(answer, 400, "invalid_request_error", "invalid_json")
    answer = submit(jobs, stream=True)
    check_error(answer, 400, "invalid_request_error", "invalid_value", "stream")
    answer = submit(jobs, background=True, store=False)
    check_error(answer, 400, "invalid_request_error", "invalid_value", "store")
    answer = submit(jobs, "nowhere/m")
    check_error(answer, 404, "invalid_request_error", "model_not_found", "model")


def test_an_idempotency_key_leads_to_the_same_job(jobs):
    headers = {"idempotency-key": "an envelope"}
    first, second = submit(jobs, headers=headers), submit(jobs, headers=headers)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotent-replayed"] == "true"
    answer = submit(jobs, "echo/echo", headers=headers)
    check_error(answer, 422, "invalid_request_error", "idempotency_key_reused", "idempotency-key")


def test_who_prefers_to_wait_gets_the_ended_job(jobs):
    answer = submit(jobs, "echo/slow-200ms", headers={"prefer": "wait=20"})
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.json()["result"]["output_text"] == "hi"
    assert answer.headers["preference-applied"] == "wait=20"
    polled = get(jobs, submitted(jobs, "echo/slow-200ms"), prefer="wait=20")
    assert (polled.status_code, polled.json()["status"]) == (200, "completed")
    assert polled.headers["preference-applied"] == "wait=20"


def test_who_waited_in_vain_is_told_to_come_again(jobs):
    answer = submit(jobs, "echo/slow-3s", headers={"prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["status"] in ("pending", "processing")
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.headers["retry-after"]
    requests.delete(f"{jobs}/{answer.json()['id']}", timeout=30)


def test_the_ttl_header_counts_here_too(jobs):
    answer = submit(jobs, headers={"x-bf-async-job-result-ttl": "1"})
    job = ended(jobs, answer.json()["id"])
    assert milliseconds(job["expires_at"]) - milliseconds(job["completed_at"]) == 1000


def test_the_list_shows_all_jobs_newest_first_without_gap_or_repeat(jobs):
    made = [submitted(jobs, metadata={"run": "paging", "n": str(n)}) for n in range(130)]
    for limit in (7, 100):
        found = all_pages(jobs, limit=limit, **{"metadata.run": "paging"})
        assert [job["id"] for job in found] == made[::-1]
    assert len(listed(jobs)["data"]) == 20
    assert "result" not in found[0]
    page = listed(jobs, limit=65, **{"metadata.run": "paging"})
    page = listed(jobs, limit=65, **{"metadata.run": "paging", "after": page["next_cursor"]})
    assert page["has_more"] is False, "a last page says so"


def test_a_job_submitted_meanwhile_does_not_disturb_the_paging(jobs):
    made = [submitted(jobs, metadata={"run": "meanwhile"}) for _ in range(6)]
    page = listed(jobs, limit=3, **{"metadata.run": "meanwhile"})
    submitted(jobs, metadata={"run": "meanwhile"})
    rest = listed(jobs, limit=10, after=page["next_cursor"], **{"metadata.run": "meanwhile"})
    assert [job["id"] for job in (*page["data"], *rest["data"])] == made[::-1]


def test_the_list_is_filtered_by_status_and_metadata(jobs):
    about = {"run": "filters"}
    failed = submitted(jobs, "echo/error-400", metadata=about | {"kind": "bad one"})
    done = submitted(jobs, metadata=about | {"kind": "good"})
    both = {"metadata.run": "filters"}
    ended(jobs, failed), ended(jobs, done)
    ids = lambda **query: [job["id"] for job in listed(jobs, **both, **query)["data"]]  # noqa: E731
    assert ids() == [done, failed]
    assert ids(status="failed") == [failed]
    assert ids(status="completed,failed") == [done, failed]
    assert ids(status="cancelled") == []
    assert ids(**{"metadata.kind": "bad one"}) == [failed]
    assert ids(**{"metadata.kind": "bad"}) == []
    shown = listed(jobs, **both, status="failed")["data"][0]
    assert shown["error"]["message"]
    assert shown["status_code"] == 400


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"status": "queued"}, "status"),
        ({"status": "completed,"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"after": "nonsense"}, "after"),
        ({"after": ""}, "after"),
        ({"after": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Lw=="}, "after"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(jobs, query, param):
    answer = requests.get(jobs, params=query, timeout=30)
    check_error(answer, 400, "invalid_request_error", "invalid_value", param)
