"""The handlers behind every alias, on fakeredis and a provider without sockets."""

import time
from dataclasses import replace

import orjson
import pytest

from api.app import PREFIXES, create_app
from api.polling import poll_headers
from common.bootstrap import build_services
from common.errors import ProviderTimeout, ServiceUnavailable
from common.jobs import Ending, JobStatus
from common.settings import load_settings
from common.submission import Submitter
from tests.support.calling import check_error_shape
from tests.support.fakes import RESPONSE, FakeProvider, FakeStream, event, inference_on

UNKNOWN = "00000000-0000-4000-8000-000000000000"
BODY = {"model": "m", "input": "x"}
ASYNC = {"x-bf-async": "true"}


class Front:
    """A front whose provider is a fake, and its caller."""

    def __init__(self, store, *outcomes):
        self.store = store
        self.provider = FakeProvider(*outcomes)
        services = build_services(load_settings({}), store=store)
        inference = inference_on(self.provider)
        submitter = Submitter(store, services.queue, inference)
        self.services = replace(services, inference=inference, submitter=submitter)
        self.http = create_app(self.services).test_client()

    def post(self, body=BODY, headers=None, prefix="/v1"):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.http.post(f"{prefix}/responses", data=data, headers=headers or {})

    def submit(self, **fields):
        answer = self.post({**BODY, **fields}, ASYNC)
        assert answer.status_code == 200, answer.text
        return answer.json["id"]

    def poll(self, job_id):
        return self.post(b"", {"x-bf-async-id": job_id})

    def claim(self, job_id):
        return self.store.claim(job_id, "token")

    def finish(self, job_id, response=RESPONSE):
        ending = Ending(JobStatus.COMPLETED, orjson.dumps(response), response["id"])
        assert self.store.finish(self.claim(job_id), ending)


@pytest.fixture
def front(store):
    return Front(store)


def error_of(answer, status, code, param=None):
    assert answer.status_code == status, answer.text
    check_error_shape(answer.json)
    assert (answer.json["error"]["code"], answer.json["error"]["param"]) == (code, param)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_alias_has_every_route(front, prefix):
    assert front.post(prefix=prefix).json["id"] == "resp_1"
    job_id = front.post(headers=ASYNC, prefix=prefix).json["id"]
    path = f"{prefix}/responses/{job_id}"
    assert front.http.get(path).json["status"] == "queued"
    assert front.http.delete(path).json["deleted"] is True
    error_of(front.http.get(path), 404, "job_not_found")


def test_a_call_answers_the_response_and_the_providers_headers(front):
    answer = front.post()
    assert answer.content_type == "application/json"
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.json["output_text"] == ""
    assert answer.json["extra_fields"]["provider"] == "fake"


def test_a_job_is_stored_with_the_callers_bytes_and_its_message(front, redis_client):
    raw = b'{"model": "m",  "input": "x", "n": 1.0}'
    job_id = front.post(raw, ASYNC).json["id"]
    assert front.store.request_of(job_id) == raw
    (message,) = redis_client.lrange("muninn.jobs", 0, -1)
    assert orjson.loads(message)["headers"]["id"] == job_id
    assert front.provider.requests == []


def test_a_poll_shows_each_state(front):
    job_id = front.submit()
    assert front.poll(job_id).json["status"] == "queued"
    claim = front.claim(job_id)
    running = front.poll(job_id)
    assert running.json["status"] == "in_progress"
    assert int(running.headers["openai-poll-after-ms"]) > 0
    assert int(running.headers["retry-after"]) >= 1
    front.store.finish(claim, Ending(JobStatus.COMPLETED, orjson.dumps(RESPONSE), "resp_1"))
    done = front.poll(job_id)
    assert done.json == RESPONSE
    assert "retry-after" not in done.headers


def test_an_old_job_is_to_be_polled_less_often(front, monkeypatch):
    job_id = front.submit()
    pauses = []
    created_at = front.store.get(job_id).created_at_ms / 1000
    for age_seconds in (0, 6, 61, 601):
        monkeypatch.setattr("api.polling.time.time", lambda age=age_seconds: created_at + age)
        pauses.append(int(front.poll(job_id).headers["openai-poll-after-ms"]))
    assert pauses == [500, 1000, 2000, 5000]


def test_no_clock_that_is_off_keeps_a_caller_from_asking_again():
    hour_ms = 3_600_000
    now_ms = int(time.time() * 1000)
    assert poll_headers(now_ms + hour_ms, now_ms + hour_ms)["retry-after"] == "60"
    assert poll_headers(now_ms - hour_ms, now_ms - hour_ms)["retry-after"] == "5"


@pytest.mark.parametrize("body", [b"", b"no", b"\xff", b"[]", b'{"model": 5}'])
def test_the_body_of_a_poll_is_not_looked_at(front, body):
    job_id = front.submit()
    answer = front.post(body, {"x-bf-async-id": job_id, "x-bf-async": "odd"})
    assert answer.json["id"] == job_id


@pytest.mark.parametrize("job_id", [UNKNOWN, "", "x", "../x", "x" * 513, UNKNOWN[:-1], "*"])
def test_what_is_no_job_is_one_and_the_same_404(front, job_id):
    error_of(front.poll(job_id), 404, "job_not_found")


def test_a_job_of_somebody_else_is_not_found(front):
    job_id = front.submit()
    front.store.client.hset(front.store.keys.job(job_id), "owner", "somebody")
    error_of(front.poll(job_id), 404, "job_not_found")
    error_of(front.http.delete(f"/v1/responses/{job_id}"), 404, "job_not_found")
    body = {**BODY, "previous_response_id": job_id}
    error_of(front.post(body), 400, "previous_response_not_found", "previous_response_id")


@pytest.mark.parametrize(
    ("body", "headers", "code", "param"),
    [
        ({**BODY, "stream": True}, ASYNC, "invalid_value", "stream"),
        ({**BODY, "background": True, "store": False}, {}, "invalid_value", "store"),
        ({**BODY, "background": "yes"}, {}, "invalid_type", "background"),
        (BODY, {"x-bf-async": "1"}, "invalid_value", "x-bf-async"),
        (b"[]", ASYNC, "invalid_json", None),
        ({"input": "x"}, ASYNC, "missing_required_parameter", "model"),
        ({**BODY, "model": 5}, ASYNC, "invalid_type", "model"),
    ],
)
def test_a_bad_submit_is_refused_and_leaves_nothing(
    front, redis_client, body, headers, code, param
):
    error_of(front.post(body, headers), 400, code, param)
    assert redis_client.dbsize() == 0


def test_an_unknown_provider_is_refused_at_submit(front, redis_client):
    error_of(front.post({**BODY, "model": "no/m"}, ASYNC), 404, "model_not_found", "model")
    assert redis_client.dbsize() == 0


@pytest.mark.parametrize("store_it", [True, None])
def test_background_is_a_job_like_the_header(front, store_it):
    answer = front.post({**BODY, "background": True, "store": store_it})
    assert answer.json["status"] == "queued"
    assert answer.json["background"] is True


def test_store_false_with_the_header_is_still_a_job(front):
    assert front.post({**BODY, "store": False}, ASYNC).json["status"] == "queued"


def test_background_false_is_inline(front):
    assert front.post({**BODY, "background": False}).json["id"] == "resp_1"


@pytest.mark.parametrize("headers", [{}, ASYNC], ids=["inline", "job"])
def test_a_job_as_the_previous_response_becomes_the_providers_id(front, headers):
    first = front.submit()
    front.finish(first)
    answer = front.post({**BODY, "previous_response_id": first}, headers)
    if headers:
        sent = orjson.loads(front.store.request_of(answer.json["id"]))
        assert answer.json["previous_response_id"] == first
    else:
        sent = front.provider.requests[-1].body
    assert sent["previous_response_id"] == "resp_1"


@pytest.mark.parametrize("previous", ["resp_abc", "", "x" * 600, UNKNOWN.replace("-", "")])
def test_what_is_no_job_id_passes_as_it_is(front, previous):
    front.post({**BODY, "previous_response_id": previous})
    assert front.provider.requests[0].body["previous_response_id"] == previous


@pytest.mark.parametrize("end", [False, True], ids=["waiting", "failed"])
def test_a_job_without_an_answer_is_no_previous_response(front, end):
    first = front.submit()
    if end:
        front.store.finish(front.claim(first), Ending(JobStatus.FAILED, error={"code": "x"}))
    answer = front.post({**BODY, "previous_response_id": first})
    error_of(answer, 400, "previous_response_not_found", "previous_response_id")
    assert ("failed" if end else "queued") in answer.json["error"]["message"]


def test_a_full_queue_is_a_429_that_says_when_to_come_again(front):
    for _ in range(5):
        front.submit()
    answer = front.post(headers=ASYNC)
    error_of(answer, 429, "queue_full")
    assert answer.json["type"] == "rate_limit_error"
    assert int(answer.headers["retry-after"]) > 0


def test_deleting_takes_either_id_and_forgets_both(front):
    job_id = front.submit()
    front.finish(job_id)
    answer = front.http.delete("/v1/responses/resp_1")
    assert answer.json == {"id": "resp_1", "object": "response.deleted", "deleted": True}
    for any_id in (job_id, "resp_1"):
        error_of(front.http.get(f"/v1/responses/{any_id}"), 404, "job_not_found")


def test_a_stream_is_relayed_and_closed(store):
    stream = FakeStream([event("response.created", response={}), None,
                         event("response.completed", response={})])  # fmt: skip
    answer = Front(store, stream).post({**BODY, "stream": True})
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert answer.headers["x-request-id"] == "req_1"
    assert answer.headers["x-accel-buffering"] == "no"
    kinds = [block.split(b"\n")[0] for block in answer.data.split(b"\n\n") if block]
    assert kinds == [b"event: response.created", b": keep-alive", b"event: response.completed"]
    assert stream.closed


def test_a_failure_before_the_first_event_is_json(store):
    answer = Front(store, ProviderTimeout("late")).post({**BODY, "stream": True})
    error_of(answer, 504, "provider_timeout")


def test_a_body_above_the_limit_is_a_413(store):
    front = Front(store)
    settings = front.services.settings.model_copy(update={"max_body_bytes": 10})
    http = create_app(replace(front.services, settings=settings)).test_client()
    error_of(http.post("/v1/responses", data=b"x" * 11), 413, "request_too_large")


def test_a_bug_of_ours_is_a_500_without_a_trace(store):
    answer = Front(store, RuntimeError("secret")).post()
    error_of(answer, 500, "internal_error")
    assert "secret" not in answer.text


class LostStore:
    """A store that cannot be reached."""

    def __init__(self, store):
        self.client, self.keys, self.limits = store.client, store.keys, store.limits

    def __getattr__(self, name):
        def away(*arguments, **named):
            raise ServiceUnavailable("away", retry_after_seconds=2)

        return away


def test_without_the_store_only_jobs_fail(store):
    front = Front(LostStore(store))
    assert front.post().json["id"] == "resp_1"
    assert front.post({**BODY, "previous_response_id": "resp_0"}).status_code == 200
    answers = [
        front.post(headers=ASYNC),
        front.poll(UNKNOWN),
        front.http.get(f"/v1/responses/{UNKNOWN}"),
        front.http.delete("/v1/responses/resp_1"),
        front.post({**BODY, "previous_response_id": UNKNOWN}),
    ]
    for answer in answers:
        error_of(answer, 503, "service_unavailable")
        assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/responses", "/v1/chat/completions"])
def test_an_unknown_path_is_a_json_404(front, path):
    error_of(front.http.get(path), 404, "not_found")


def test_a_wrong_method_is_a_json_405_that_names_the_right_ones(front):
    answer = front.http.put("/v1/responses")
    error_of(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]
