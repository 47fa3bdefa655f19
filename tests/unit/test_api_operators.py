"""What operators ask for: the overview, filtered lists, requests and retries of jobs; fakeredis."""

import orjson
import pytest

from api import overview
from common.jobs import Ending, JobStatus
from common.store.job_store import JobStore
from common.store.presence import WorkerState
from common.store.queue_state import QueueState
from tests.unit.test_api_keys import Front, check

LIST = "/v1/async/responses"
OVERVIEW = "/v1/async/overview"
HOOK = {"url": "https://crm.example/hook", "secrets": ["whsec_" + "c2VjcmV0" * 4]}
HOOKS = orjson.dumps({"crm": HOOK}).decode()
LONG = "x" * 100  # than the store of these tests keeps


@pytest.fixture
def front(store: JobStore) -> Front:
    return Front(store)


@pytest.fixture
def admin(front: Front) -> str:
    return front.key("boss", is_admin=True)[0]


def submit(front: Front, secret: str = "", model: str = "echo/hello", **headers: str) -> str:
    answer = front.post(secret, {"model": model, "input": "hi"}, LIST, **headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def end(front: Front, job_id: str) -> None:
    store = front.services.store
    claim = store.claim(job_id, "token")
    assert claim is not None
    assert store.finish(claim, Ending(JobStatus.COMPLETED, result=b'{"id":"resp_1"}'))


def listed(front: Front, secret: str, query: str) -> list[str]:
    answer = front.get(secret, f"{LIST}?{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json["data"]]


def test_the_overview_tells_of_queue_workers_and_the_last_hour(front: Front) -> None:
    ids = [submit(front) for _ in range(3)]
    end(front, ids[0])
    front.services.store.cancel(ids[1])
    worker = WorkerState("h:1:x", "h", 1, "0.1.0", slots=5, running=2, started_at_ms=1000)
    front.services.presence.say(worker)
    shown = front.get("", OVERVIEW).json
    assert list(shown) == [
        "object", "time", "jobs", "oldest_queued_seconds", "workers", "history", "store",
    ]  # fmt: skip
    assert shown["jobs"] == {"queued": 1, "waiting": 0, "in_progress": 0}
    assert 0 <= shown["oldest_queued_seconds"] < 60
    (told,) = shown["workers"]
    assert (told["slots"], told["running"], told["started_at"]) == (
        5, 2, "1970-01-01T00:00:01.000Z",
    )  # fmt: skip
    assert told["seen_at"] <= shown["time"]
    assert [minute["minute"] for minute in shown["history"]] == sorted(
        minute["minute"] for minute in shown["history"]
    )
    assert len(shown["history"]) == 60
    sums = {name: sum(minute[name] for minute in shown["history"]) for name in JobStatuses}
    assert sums == {"submitted": 3, "completed": 1, "failed": 0, "cancelled": 1}
    assert shown["store"].keys() == {"used_memory_bytes", "max_memory_bytes"}


def test_jobs_that_wait_for_their_turn_are_queued_and_those_to_be_retried_wait(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = QueueState(4, 7, 2, oldest_enqueued_at_ms=None, now_ms=0, held=5)
    monkeypatch.setattr(overview, "queue_state", lambda store: state)
    shown = front.get("", OVERVIEW).json["jobs"]
    assert shown == {"queued": 9, "waiting": 2, "in_progress": 2}


JobStatuses = ("submitted", "completed", "failed", "cancelled")


def test_an_idle_gateway_has_an_overview_too(front: Front) -> None:
    shown = front.get("", OVERVIEW).json
    assert (shown["oldest_queued_seconds"], shown["workers"]) == (None, [])


def test_where_keys_are_needed_the_overview_is_for_admins(front: Front, admin: str) -> None:
    secret, _ = front.key()
    check(front.get(secret, OVERVIEW), 403, "permission_error", "admin_key_required")
    assert front.get(admin, OVERVIEW).status_code == 200


def test_a_list_is_filtered_by_the_model_that_was_asked_for(front: Front) -> None:
    hello, slow = submit(front), submit(front, model="slow-2s")
    assert listed(front, "", "model=echo/hello") == [hello]
    assert listed(front, "", "model=slow-2s") == [slow]
    assert listed(front, "", "model=*o*") == [slow, hello]
    assert listed(front, "", "model=*o*&status=completed") == []
    assert listed(front, "", "model=HELLO") == []


def test_an_admin_filters_by_key_and_sees_whose_each_job_is(front: Front) -> None:
    before = submit(front)
    admin, _ = front.key("boss", is_admin=True)
    mine, key = front.key("mine", max_running=5)
    first, second = submit(front, mine), submit(front, admin)
    assert listed(front, admin, "key=mine") == [first]
    assert listed(front, admin, f"key={key.id}") == [first]
    assert listed(front, admin, "key=boss") == [second]
    assert listed(front, admin, "key=nobody") == []
    assert listed(front, admin, f"key={key.id}:running:bound") == [], "a key of Redis, but no owner"
    whose = {job["id"]: job["key"] for job in front.get(admin, LIST).json["data"]}
    assert whose == {before: None, first: "mine", second: "boss"}
    assert front.get(admin, f"{LIST}/{first}").json["key"] == "mine"
    assert front.post(admin, path=f"{LIST}/{first}/cancel").json["key"] == "mine"


def test_jobs_of_a_key_that_has_lost_its_name_are_listed_by_its_id(
    front: Front, admin: str
) -> None:
    mine, key = front.key("mine")
    old = submit(front, mine)
    front.key("mine", is_revoked=True, id=key.id)
    assert listed(front, admin, "key=mine") == [old], "revoked"
    new, _ = front.key("mine")
    newer = submit(front, new)
    assert listed(front, admin, "key=mine") == [newer]
    assert listed(front, admin, f"key={key.id}") == [old]
    assert front.get(admin, f"{LIST}/{old}").json["key"] == key.id


def test_a_name_that_two_keys_have_lists_the_jobs_of_both(store: JobStore) -> None:
    front = Front(store, MUNINN_KEYS=orjson.dumps({"ops": {"hash": "a" * 64}}).decode())
    admin, _ = front.key("boss", is_admin=True)
    mine, _ = front.key("ops")
    submit(front, admin)
    job_id = submit(front, mine)
    assert front.services.keyring.owners_of("ops")[0] == "env:ops"
    assert listed(front, admin, "key=ops") == [job_id]
    assert front.services.keyring.name_of("env:ops") == "ops"


def test_others_than_admins_learn_of_no_keys(front: Front) -> None:
    front.key("other")
    secret, _ = front.key("mine")
    job_id = submit(front, secret)
    for name in ("other", "mine"):
        refused = front.get(secret, f"{LIST}?key={name}")
        check(refused, 403, "permission_error", "admin_key_required")
    assert "key" not in front.get(secret, f"{LIST}/{job_id}").json
    assert "key" not in front.get(secret, LIST).json["data"][0]


def test_an_open_gateway_has_no_jobs_of_keys(front: Front) -> None:
    submit(front)
    assert listed(front, "", "key=team") == []


def test_the_request_of_a_job_is_the_body_that_was_sent(front: Front) -> None:
    job_id = submit(front)
    answer = front.get("", f"{LIST}/{job_id}/request")
    assert (answer.status_code, answer.json) == (200, {"model": "echo/hello", "input": "hi"})
    assert answer.content_type == "application/json"


@pytest.mark.parametrize(("method", "what"), [("GET", "request"), ("POST", "retry")])
def test_a_long_request_is_not_kept_and_that_is_said(front: Front, method: str, what: str) -> None:
    answer = front.post("", {"model": "echo/hello", "input": LONG}, LIST)
    job_id = answer.json["id"]
    end(front, job_id)
    answer = front.http.open(f"{LIST}/{job_id}/{what}", method=method)
    check(answer, 404, "invalid_request_error", "request_not_kept")


def test_a_job_that_has_not_ended_is_not_retried(front: Front) -> None:
    job_id = submit(front)
    answer = front.post("", path=f"{LIST}/{job_id}/retry")
    check(answer, 409, "invalid_request_error", "job_not_ended")


def retried(front: Front, secret: str, job_id: str, **headers: str):
    return front.post(secret, path=f"{LIST}/{job_id}/retry", **headers)


def test_a_retry_is_a_new_job_of_the_same_request(store: JobStore) -> None:
    front = Front(store, MUNINN_WEBHOOKS=HOOKS)
    asked = {"x-bf-async-job-result-ttl": "77", "x-bf-send-back-raw-request": "true"}
    job_id = submit(front, **asked, **{"x-bf-async-webhook": "crm"})
    end(front, job_id)
    answer = retried(front, "", job_id)
    assert answer.status_code == 202, answer.text
    assert list(answer.json) == ["id", "status", "created_at", "retry_of"]
    assert (answer.json["status"], answer.json["retry_of"]) == ("pending", job_id)
    assert answer.headers["retry-after"]
    new_id = answer.json["id"]
    assert new_id != job_id
    record = store.get(new_id)
    assert record is not None
    assert (record.status, record.delivery.target) == (JobStatus.QUEUED, "crm")
    claim = store.claim(new_id, "t")
    assert (claim.ttl_seconds, orjson.loads(claim.options)["raw_request"]) == (77, True)
    assert orjson.loads(claim.request) == {"model": "echo/hello", "input": "hi"}


def test_a_repeated_retry_with_the_same_idempotency_key_finds_the_same_job(front: Front) -> None:
    key = {"idempotency-key": "once"}
    job_id = submit(front, **key)
    end(front, job_id)
    first, second, other = (
        retried(front, "", job_id, **key),
        retried(front, "", job_id, **key),
        retried(front, "", job_id),
    )
    assert first.json["id"] == second.json["id"] != job_id
    assert second.headers["idempotent-replayed"] == "true"
    assert other.json["id"] not in (first.json["id"], job_id)
    refused = retried(front, "", job_id, **{"idempotency-key": ""})
    assert refused.status_code == 400


def test_a_retry_by_an_admin_stays_with_its_owner_and_within_its_bound(
    front: Front, admin: str
) -> None:
    secret, key = front.key("mine", max_running=2)
    job_id = submit(front, secret)
    end(front, job_id)
    new_id = retried(front, admin, job_id).json["id"]
    record = front.services.store.get(new_id)
    assert record is not None
    assert record.owner == key.id
    assert bounds(front, key.id) == [b"2"]
    assert front.get(secret, f"{LIST}/{new_id}").status_code == 202
    end(front, new_id)
    front.key("mine", id="key_another")
    assert retried(front, admin, new_id).status_code == 202
    assert bounds(front, key.id) == [b"2"], "as it was, for a key that is gone"


def bounds(front: Front, owner: str) -> list[bytes]:
    client = front.services.store.client
    return [client.get(key) for key in client.keys(f"*:{owner}:running:bound")]


def test_a_retry_asks_again_whether_the_key_is_for_the_model(front: Front) -> None:
    secret, key = front.key("mine")
    job_id = submit(front, secret)
    end(front, job_id)
    narrowed, _ = front.key("mine", id=key.id, models=("echo/slow-*",))
    refused = retried(front, narrowed, job_id)
    check(refused, 403, "permission_error", "model_not_allowed", "model")


def test_a_retry_keeps_to_the_fallbacks_that_its_own_key_may_use(store: JobStore) -> None:
    table = orjson.dumps({"echo/*": ["echo/long-3", "echo/long-4"]}).decode()
    front = Front(store, MUNINN_FALLBACKS=table)
    admin, _ = front.key("boss", is_admin=True)
    secret, key = front.key("mine", models=("echo/hello", "echo/long-*"))
    job_id = submit(front, secret)
    end(front, job_id)
    front.key("mine", id=key.id, models=("echo/hello", "echo/long-4"))
    claim = store.claim(retried(front, admin, job_id).json["id"], "t")
    assert claim is not None
    assert orjson.loads(claim.options)["fallbacks"] == ["echo/long-4"]


def test_a_retry_counts_as_a_request(front: Front) -> None:
    secret, _ = front.key("mine", rpm=2)
    job_id = submit(front, secret)
    end(front, job_id)
    answer = retried(front, secret, job_id)
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    check(retried(front, secret, job_id), 429, "rate_limit_error", "rate_limit_exceeded")


def test_a_retry_for_a_webhook_that_there_is_no_more_is_refused(store: JobStore) -> None:
    with_hooks = Front(store, MUNINN_WEBHOOKS=HOOKS)
    job_id = submit(with_hooks, **{"x-bf-async-webhook": "crm"})
    end(with_hooks, job_id)
    without = Front(store)
    answer = retried(without, "", job_id)
    assert answer.status_code == 400, answer.text
    assert answer.json["error"]["param"] == "x-bf-async-webhook"
