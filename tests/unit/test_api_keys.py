"""Who gets in, what they may use, and whom jobs belong to; on fakeredis."""

import orjson
import pytest
from flask import Flask

from api.app import PUBLIC, create_app
from common.bootstrap import build_services
from common.settings import load_settings
from common.store.job_store import JobStore
from common.store.virtual_keys import KeyStore
from tests.support.calling import check_error_shape, without_ids
from tests.support.keys import store_key

BODY = {"model": "echo/hello", "input": "hi"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Front:
    """A front that has keys."""

    def __init__(self, store: JobStore, **environ: str) -> None:
        self.services = build_services(load_settings(environ), store=store)
        self.keys = KeyStore(store.client, store.scripts)
        self.app: Flask = create_app(self.services)
        self.http = self.app.test_client()

    def key(self, name: str = "team", **changes: object):
        secret, key = store_key(self.keys, name, **changes)
        self.services.keyring.refresh()
        return secret, key

    def post(self, secret: str, body: object = BODY, path: str = "/v1/responses", **headers: str):
        sent = {"authorization": f"Bearer {secret}", **headers}
        return self.http.post(path, data=orjson.dumps(body), headers=sent)

    def submit(self, secret: str) -> str:
        return str(self.post(secret, **{"x-bf-async": "true"}).json["id"])

    def get(self, secret: str, path: str):
        return self.http.get(path, headers={"x-api-key": secret})


@pytest.fixture
def front(store: JobStore) -> Front:
    return Front(store)


def check(answer, status: int, kind: str, code: str, param: str | None = None):
    assert answer.status_code == status, answer.text
    check_error_shape(answer.json)
    error = answer.json["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, param)


def test_every_route_is_authenticated_or_declared_public(front: Front) -> None:
    front.key()
    seen = set()
    for rule in front.app.url_map.iter_rules():
        path = rule.build(dict.fromkeys(rule.arguments, UNKNOWN))[1]
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = front.http.open(path, method=method)
            assert (answer.status_code == 401) == (rule.rule not in PUBLIC), (method, path)
        seen.add(rule.rule)
    assert seen >= PUBLIC


@pytest.mark.parametrize(
    "headers",
    [
        {"x-bf-vk": "{}"},
        {"authorization": "Bearer {}"},
        {"Authorization": "bearer   {}"},
        {"x-api-key": "{}"},
        {"api-key": "{}"},
        {"x-bf-vk": "{}", "authorization": "Bearer sk-of-the-provider"},
        {"authorization": "Basic dXNlcg==", "api-key": "{}"},
    ],
    ids=str,
)
def test_a_key_is_taken_from_each_of_its_headers(front: Front, headers: dict[str, str]) -> None:
    secret, _ = front.key()
    sent = {name: value.format(secret) for name, value in headers.items()}
    answer = front.http.post("/v1/responses", data=orjson.dumps(BODY), headers=sent)
    assert answer.status_code == 200


def test_all_that_is_wrong_with_a_key_is_answered_in_the_same_words(front: Front) -> None:
    revoked, _ = front.key("revoked", is_revoked=True)
    expired, _ = front.key("expired", expires_at=1)
    answers = [front.post(secret) for secret in (revoked, expired, "mk-unknown", "", "é\x80")]
    answers.append(front.http.post("/v1/responses", data=b"{}"))
    for answer in answers:
        check(answer, 401, "authentication_error", "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert without_ids(answer.json) == without_ids(answers[0].json)


def test_an_open_gateway_does_not_look_at_credentials(front: Front) -> None:
    assert front.post("whatever").status_code == 200


def test_a_key_that_comes_is_asked_for(front: Front) -> None:
    assert front.post("").status_code == 200
    secret, _ = front.key()
    assert [front.post("").status_code, front.post(secret).status_code] == [401, 200]


def test_true_asks_for_a_key_that_nobody_has(store: JobStore) -> None:
    assert Front(store, MUNINN_REQUIRE_KEYS="true").post("").status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "wrap", "status"),
    [
        ("/v1/responses", {}, lambda body: body, "model"),
        ("/v1/responses", {"x-bf-async": "true"}, lambda body: body, "model"),
        ("/v1/responses", {}, lambda body: {**body, "stream": True}, "model"),
        ("/v1/responses", {}, lambda body: {**body, "background": True}, "model"),
        ("/v1/async/responses", {}, lambda body: body, "model"),
        (
            "/v1/async/responses/batch",
            {},
            lambda body: {"requests": [{"custom_id": "a", "body": body}]},
            "requests[0].body.model",
        ),
    ],
)
def test_a_model_the_key_is_not_for_is_refused_everywhere(
    front: Front, path: str, headers: dict[str, str], wrap, status: str
) -> None:
    secret, _ = front.key(models=("echo/long-*",))
    refused = front.post(secret, wrap(BODY), path, **headers)
    check(refused, 403, "permission_error", "model_not_allowed", status)
    assert front.post(secret, wrap({**BODY, "model": "long-3"}), path, **headers).status_code < 300


def test_a_fallback_does_not_lead_around_a_refusal(front: Front) -> None:
    secret, _ = front.key(models=("echo/hello",))
    answer = front.post(secret, {**BODY, "fallbacks": ["echo/long-3"]})
    check(answer, 403, "permission_error", "model_not_allowed", "model")


def test_an_alias_does_not_lead_around_a_refusal(store: JobStore) -> None:
    rows = b'{"echo": {"kind": "echo", "models": {"cheap": "long-9"}}}'.decode()
    front = Front(store, MUNINN_PROVIDERS=rows)
    secret, _ = front.key(models=("echo/cheap", "echo/hello"))
    check(
        front.post(secret, {**BODY, "model": "cheap"}),
        403,
        "permission_error",
        "model_not_allowed",
        "model",
    )


def test_a_job_of_another_key_is_not_found_and_an_admin_finds_all(front: Front) -> None:
    mine, key = front.key("mine")
    other, _ = front.key("other")
    admin, _ = front.key("admin", is_admin=True)
    job_id = front.submit(mine)
    path = f"/v1/responses/{job_id}"
    assert [front.get(s, path).status_code for s in (mine, other, admin)] == [200, 404, 200]
    unknown = front.get(other, f"/v1/responses/{UNKNOWN}")
    assert without_ids(front.get(other, path).json) == without_ids(unknown.json)
    found = front.services.store.get(job_id)
    assert found is not None
    assert found.owner == key.id


def test_a_list_has_the_jobs_of_its_key_and_an_admins_those_of_all(front: Front) -> None:
    before = front.submit("")
    mine, _ = front.key("mine")
    other, _ = front.key("other")
    admin, _ = front.key("admin", is_admin=True)
    first, second = front.submit(mine), front.submit(other)

    def listed(secret: str, query: str = "") -> list[str]:
        page = front.get(secret, f"/v1/async/responses{query}").json
        return [job["id"] for job in page["data"]]

    assert listed(mine) == [first]
    assert sorted(listed(admin)) == sorted([before, first, second])
    pages = listed(admin, "?limit=2")
    cursor = front.get(admin, "/v1/async/responses?limit=2").json["next_cursor"]
    assert sorted(pages + listed(admin, f"?after={cursor}")) == sorted([before, first, second])
    front.services.store.delete(first)
    assert sorted(listed(admin)) == sorted([before, second])


def test_an_admin_cancels_the_job_of_another(front: Front) -> None:
    mine, _ = front.key("mine")
    admin, _ = front.key("admin", is_admin=True)
    job_id = front.submit(mine)
    answer = front.post(admin, path=f"/v1/responses/{job_id}/cancel")
    assert answer.json["status"] == "cancelled"


def test_after_a_rotation_the_jobs_are_still_its_own(front: Front) -> None:
    mine, key = front.key()
    job_id = front.submit(mine)
    rotated, _ = front.key(id=key.id)
    path = f"/v1/responses/{job_id}"
    assert [front.get(s, path).status_code for s in (rotated, mine)] == [200, 401]


LIMIT_HEADERS = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests")


def shown(answer) -> list[str]:
    return [answer.headers[name] for name in LIMIT_HEADERS]


def test_a_limited_key_is_told_what_is_left_and_refused_over_it(front: Front) -> None:
    secret, _ = front.key(rpm=4)
    answers = [
        front.post(secret),
        front.post(secret, {**BODY, "stream": True}),
        front.post(secret, **{"x-bf-async": "true"}),
    ]
    failed = front.post(secret, {**BODY, "model": "echo/error-500"})
    assert [shown(answer) for answer in (*answers, failed)] == [
        ["4", "3"], ["4", "2"], ["4", "1"], ["4", "0"],
    ]  # fmt: skip
    assert failed.status_code == 500
    over = front.post(secret)
    check(over, 429, "rate_limit_error", "rate_limit_exceeded")
    assert shown(over) == ["4", "0"]
    assert 50 <= int(over.headers["retry-after"]) <= 60
    assert over.headers["x-ratelimit-reset-requests"].endswith("s")
    assert front.get(secret, "/v1/async/responses").status_code == 200, "reading is free"


def test_a_key_without_a_limit_is_told_of_none(front: Front) -> None:
    secret, _ = front.key()
    assert not {name for name, _ in front.post(secret).headers if name.startswith("x-ratelimit")}


def test_a_batch_counts_as_its_requests(front: Front) -> None:
    secret, _ = front.key(rpm=5)

    def batch(count: int):
        items = [{"custom_id": str(n), "body": BODY} for n in range(count)]
        return front.post(secret, {"requests": items}, "/v1/async/responses/batch")

    check(batch(6), 400, "invalid_request_error", "invalid_value", "requests")
    assert shown(batch(3)) == ["5", "2"]
    check(batch(3), 429, "rate_limit_error", "rate_limit_exceeded")


def test_a_bound_on_running_jobs_goes_with_the_job(front: Front) -> None:
    secret, _ = front.key(max_running=2)
    job_id = front.submit(secret)
    store = front.services.store
    gate = store.client.hget(store.keys.job(job_id), "peers").decode()
    assert store.client.get(f"{gate}:bound") == b"2"
