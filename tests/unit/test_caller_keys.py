"""Keys that callers bring for a provider: where they may stand, and who gets them."""

import json

import orjson
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from api.app import create_app
from common.bootstrap import build_services
from common.caller_keys import CallerKey
from common.errors import CallerKeyUnusable
from common.inference import CallOptions
from common.jobs import Ending, JobStatus
from common.providers.base import UpstreamCall
from common.settings import load_settings
from common.store.virtual_keys import KeyStore
from tests.support.calling import check_error_shape
from tests.support.keys import store_key
from tests.support.upstream import Upstream, json_answer, sse_answer
from tests.support.vendor import RESPONSE, events

OWN, OWN_2, MINE = "key-of-the-gateway", "second-key-of-the-gateway", "sk-key-of-a-caller"
HEADER = "x-bf-provider-key"
ENCRYPTION_KEY = Fernet.generate_key().decode()
REFUSED = {"error": {"message": f"bad key {MINE}", "code": "bad_key", "param": MINE}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


class Front:
    """A front with a provider of each kind, all of them the same server."""

    def __init__(self, store, upstream, **environ):
        row = {"base_url": f"{upstream.url}/v1"}
        rows = {
            "both": {**row, "api_key": OWN, "allow_caller_keys": True, "models": {"a": "b"}},
            "bare": {**row, "allow_caller_keys": True},
            "many": {**row, "api_keys": [OWN, OWN_2], "allow_caller_keys": True},
            "azure": {**row, "auth_header": "Api-Key", "allow_caller_keys": True},
            "closed": {**row, "api_key": OWN},
        }
        settings = {"MUNINN_PROVIDERS": json.dumps(rows), **environ}
        self.upstream = upstream
        self.services = build_services(load_settings(settings), store=store)
        self.keys = KeyStore(store.client, store.scripts)
        self.http = create_app(self.services).test_client()

    def virtual_key(self, **changes):
        secret, _ = store_key(self.keys, "team", **changes)
        self.services.keyring.refresh()
        return secret

    def post(self, model, path="/v1/responses", fields=None, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"model": model, "input": "hi", **(fields or {})}
        return self.http.post(path, data=orjson.dumps(body), headers=sent)

    def asked_with(self):
        """What stood in the headers of the last call, where a key may."""
        seen = self.upstream.seen[-1].headers
        assert not [name for name in seen if name.startswith("x-bf-")]
        return seen.get("api-key") or seen.get("authorization", "").removeprefix("Bearer ")


@pytest.fixture
def upstream():
    with Upstream(json_answer(RESPONSE)) as server:
        yield server


@pytest.fixture
def make(store, upstream):
    made = []

    def make(**environ):
        made.append(Front(store, upstream, **environ))
        return made[-1]

    yield make
    for front in made:
        front.services.registry.close()


@pytest.fixture
def front(make):
    return make(MUNINN_ENCRYPTION_KEYS=ENCRYPTION_KEY)


def check(answer, status, kind, code, param=None):
    assert answer.status_code == status, answer.text
    check_error_shape(answer.json)
    error = answer.json["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, param), answer.text
    return error["message"]


@pytest.mark.parametrize("model", ["both/m", "bare/m", "many/m", "azure/m"])
def test_a_callers_key_is_used_for_that_call_alone(front, model):
    assert front.post(model, **{HEADER: MINE}).status_code == 200
    assert front.asked_with() == MINE
    if model == "both/m":
        front.post(model)
        assert front.asked_with() == OWN


def test_a_callers_key_opens_a_stream(front, upstream):
    upstream.script = [sse_answer(events())]
    assert front.post("both/m", fields={"stream": True}, **{HEADER: MINE}).get_data()
    assert front.asked_with() == MINE


def test_where_it_is_not_allowed_it_is_refused_and_the_header_named(front, upstream):
    for model in ("closed/m", "echo/hello"):
        answer = front.post(model, **{HEADER: MINE})
        message = check(answer, 403, "permission_error", "caller_key_not_allowed", HEADER)
        assert HEADER in message
    assert upstream.seen == []


def test_without_one_a_provider_without_a_key_is_not_asked(front, upstream):
    for extra in ({}, {"x-bf-async": "true"}):
        answer = front.post("bare/m", **extra)
        message = check(answer, 401, "authentication_error", "provider_key_required")
        assert HEADER in message
    assert upstream.seen == []


@pytest.mark.parametrize("value", ["", "abc", "Bearer sk-of-a-caller", "k" * 4097, "schlüssel"])
def test_what_is_no_key_is_refused(front, upstream, value):
    answer = front.post("both/m", **{HEADER: value})
    check(answer, 400, "invalid_request_error", "invalid_value", HEADER)
    assert upstream.seen == []


class TestAuthorization:
    """An SDK always sends some: when it is the provider's."""

    def test_in_an_open_gateway_where_the_provider_has_no_key_of_its_own(self, front):
        front.post("bare/m", authorization=f"Bearer {MINE}")
        assert front.asked_with() == MINE

    def test_not_in_an_open_gateway_where_it_has_one(self, front):
        front.post("both/m", authorization=f"Bearer {MINE}")
        assert front.asked_with() == OWN

    @pytest.mark.parametrize("model", ["both/m", "bare/m"])
    def test_beside_a_virtual_key_in_its_own_header(self, front, model):
        secret = front.virtual_key()
        answer = front.post(model, authorization=f"Bearer {MINE}", x_bf_vk=secret)
        assert answer.status_code == 200
        assert front.asked_with() == MINE

    def test_the_header_for_it_wins(self, front):
        secret = front.virtual_key()
        headers = {HEADER: MINE, "x-bf-vk": secret, "authorization": "Bearer sk-another"}
        front.post("both/m", **headers)
        assert front.asked_with() == MINE

    def test_it_is_left_alone_where_callers_keys_are_not_allowed(self, front):
        secret = front.virtual_key()
        answer = front.post("closed/m", authorization=f"Bearer {MINE}", x_bf_vk=secret)
        assert answer.status_code == 200
        assert front.asked_with() == OWN


class TestAVirtualKeyNeverReachesAProvider:
    def test_not_as_what_opened_the_gateway(self, front, upstream):
        secret = front.virtual_key()
        front.post("both/m", authorization=f"Bearer {secret}")
        assert front.asked_with() == OWN
        answer = front.post("bare/m", authorization=f"Bearer {secret}")
        check(answer, 401, "authentication_error", "provider_key_required")
        assert len(upstream.seen) == 1

    def test_not_when_it_is_sent_twice(self, front, upstream):
        secret = front.virtual_key()
        both = {"x-bf-vk": secret, "authorization": f"Bearer {secret}"}
        front.post("both/m", **both)
        assert front.asked_with() == OWN
        assert front.post("bare/m", **both).status_code == 401
        assert len(upstream.seen) == 1

    def test_not_another_one(self, front, upstream):
        secret = front.virtual_key()
        other, _ = store_key(front.keys, "other", is_revoked=True)
        front.services.keyring.refresh()
        sent = {"x-bf-vk": secret, "authorization": f"Bearer {other}"}
        assert front.post("bare/m", **sent).status_code == 401
        answer = front.post("both/m", **{"x-bf-vk": secret, HEADER: other})
        check(answer, 400, "invalid_request_error", "invalid_value", HEADER)
        assert upstream.seen == []

    def test_not_where_keys_are_not_asked_for(self, make, upstream):
        secret = "any-secret-of-the-environment"
        keys = {"ops": {"secret_env": "OPS_KEY", "expires_at": "2020-01-01T00:00:00Z"}}
        environ = {"MUNINN_KEYS": json.dumps(keys), "OPS_KEY": secret}
        front = make(MUNINN_REQUIRE_KEYS="false", **environ)
        for value in (secret, "mk-from-another-gateway"):
            answer = front.post("bare/m", authorization=f"Bearer {value}")
            check(answer, 401, "authentication_error", "provider_key_required")
        assert upstream.seen == []


def test_a_fallback_gets_the_key_at_the_same_provider_alone(front, upstream):
    busy = json_answer({"error": {"message": "busy"}}, status=503)
    upstream.script = [busy, busy, busy, json_answer(RESPONSE)]
    fallbacks = {"fallbacks": ["both/n", "many/m", "closed/m"]}
    assert front.post("both/m", fields=fallbacks, **{HEADER: MINE}).status_code == 200
    sent = [seen.headers["authorization"].removeprefix("Bearer ") for seen in upstream.seen]
    assert sent == [MINE, MINE, OWN, OWN]


def test_a_fallback_that_could_not_be_asked_is_refused_beforehand(front, upstream):
    answer = front.post("both/m", fields={"fallbacks": ["closed/m", "bare/m"]}, **{HEADER: MINE})
    check(answer, 401, "authentication_error", "provider_key_required", "fallbacks[1]")
    assert upstream.seen == []


def test_what_the_provider_says_of_the_key_is_masked(front, upstream):
    upstream.script = [json_answer(REFUSED, status=401)]
    answer = front.post("both/m", **{HEADER: MINE})
    check(answer, 401, "provider_error", "bad_key", "***")
    assert MINE not in answer.text
    failed = {"type": "response.failed", "response": {**RESPONSE, "error": {"message": MINE}}}
    upstream.script = [sse_answer([events()[0], failed])]
    shown = front.post("both/m", fields={"stream": True}, **{HEADER: MINE}).get_data(as_text=True)
    assert "response.failed" in shown
    assert MINE not in shown


def test_what_the_provider_was_sent_is_shown_without_it(front):
    answer = front.post("both/m", **{HEADER: MINE, "x-bf-send-back-raw-request": "true"})
    assert answer.json["extra_fields"]["raw_request"]["model"] == "m"
    assert MINE not in answer.text


def submit(front, **headers):
    answer = front.post("both/m", **{HEADER: MINE, "x-bf-async": "true", **headers})
    assert answer.status_code == 200, answer.text
    return answer.json["id"]


def stored(front, job_id):
    store = front.services.store
    return store.client.hgetall(store.keys.job(job_id))


def test_a_job_keeps_it_encrypted_until_its_end(front):
    job_id = submit(front)
    assert MINE not in repr(stored(front, job_id))
    store = front.services.store
    claim = store.claim(job_id, "t")
    assert front.services.vault.open(job_id, claim.caller_key).secret.get_secret_value() == MINE
    assert claim.caller_key.decode() not in repr(claim)
    store.release(claim, b"", delay_seconds=0.0, error={"code": "busy", "message": "busy"})
    assert b"caller_key" in stored(front, job_id)
    claim = store.claim(job_id, "u")
    assert store.finish(claim, Ending(JobStatus.FAILED, error={"code": "x", "message": "x"}))
    assert b"caller_key" not in stored(front, job_id)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_cancelling_erases_it(front, status):
    job_id = submit(front)
    if status == "in_progress":
        front.services.store.claim(job_id, "t")
    front.http.post(f"/v1/responses/{job_id}/cancel")
    assert b"status" in stored(front, job_id)
    assert b"caller_key" not in stored(front, job_id)


def test_without_an_encryption_key_such_a_job_is_refused(make, store):
    front = make()
    for path in ("/v1/responses", "/v1/async/responses"):
        answer = front.post("both/m", path, **{HEADER: MINE, "x-bf-async": "true"})
        code = "caller_key_not_storable"
        assert "MUNINN_ENCRYPTION_KEYS" in check(answer, 400, "invalid_request_error", code, HEADER)
    assert store.client.keys("*job*") == []
    assert front.post("both/m", **{"x-bf-async": "true"}).status_code == 200
    assert front.post("both/m", **{HEADER: MINE}).status_code == 200


def test_a_repeated_submit_is_known_by_its_body_whatever_key_it_brings(front):
    first = submit(front, **{"idempotency-key": "once"})
    again = front.post(
        "both/m", **{HEADER: "sk-another-key", "x-bf-async": "true", "idempotency-key": "once"}
    )
    assert (again.json["id"], again.headers["idempotent-replayed"]) == (first, "true")
    kept = front.services.vault.open(first, stored(front, first)[b"caller_key"])
    assert kept.secret.get_secret_value() == MINE


def batch(front, *models, **headers):
    items = [{"custom_id": str(n), "body": {"model": m}} for n, m in enumerate(models)]
    path, sent = "/v1/async/responses/batch", orjson.dumps({"requests": items})
    return front.http.post(path, data=sent, headers=headers)


def test_a_batch_takes_one_for_all_its_requests(front):
    answer = batch(front, "both/a", "both/m", **{HEADER: MINE})
    assert answer.status_code == 202
    found = front.services.batches.get(answer.json["id"])
    for item in found.items:
        sealed = stored(front, item.job_id)[b"caller_key"]
        assert front.services.vault.open(item.job_id, sealed).provider == "both"


def test_a_batch_that_would_show_it_to_two_providers_is_refused(front, store):
    answer = batch(front, "both/m", "many/m", **{HEADER: MINE})
    check(answer, 400, "invalid_request_error", "invalid_value", HEADER)
    answer = batch(front, "both/m", "closed/m", **{HEADER: MINE})
    message = check(answer, 403, "permission_error", "caller_key_not_allowed", HEADER)
    assert message.startswith("requests[1]: ")
    answer = batch(front, "both/m", "bare/m")
    assert check(answer, 401, "authentication_error", "provider_key_required", "requests[1]")
    assert store.client.keys("*job*") == []


def test_a_retry_brings_its_own(front):
    job_id = submit(front)
    front.http.post(f"/v1/responses/{job_id}/cancel")
    path = f"/v1/async/responses/{job_id}/retry"
    answer = front.http.post(path)
    check(answer, 400, "invalid_request_error", "invalid_value", HEADER)
    answer = front.http.post(path, headers={HEADER: MINE})
    assert b"caller_key" in stored(front, answer.json["id"])


def test_a_key_is_never_sent_to_another_provider_than_it_was_sent_for(front, upstream):
    body, call = {"model": "many/m", "input": "x"}, UpstreamCall()
    with pytest.raises(CallerKeyUnusable):
        front.services.inference.create(
            body, CallOptions(), call, caller_key=CallerKey("both", SecretStr(MINE))
        )
    assert upstream.seen == []
