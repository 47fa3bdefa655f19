"""Keys of callers and several keys of a provider, with real processes: who is asked with which."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from cryptography.fernet import Fernet
from openai import OpenAI

from tests.support.background_server import BackgroundServer
from tests.support.calling import poll, poll_to_the_end, post
from tests.support.guarded import MUNINN
from tests.support.processes import Muninn, StoreServer
from tests.support.upstream import Peer, Seen, Upstream, json_answer, sse_answer
from tests.support.vendor import RESPONSE, events
from tests.support.waiting import wait_until

MINE, OWN = "planted-key-of-a-caller-71ac", "planted-key-of-the-gateway-5e0b"
FIRST, SECOND = "planted-first-key-of-two-a9f1", "planted-second-key-of-two-c04d"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
OK = json_answer(RESPONSE)
BUSY = json_answer({"error": {"message": f"{MINE} is busy", "code": "busy"}}, status=503)


@dataclass
class Place:
    """A front and workers, and the two providers behind them."""

    muninn: Muninn
    store: StoreServer
    upstream: Upstream
    background: BackgroundServer

    @property
    def v1(self) -> str:
        return f"{self.muninn.root}/v1"

    def submit(self, model: str, key: str | None = MINE, **fields: object) -> str:
        sent = {"x_bf_provider_key": key} if key else {}
        body = {"model": model, "input": "hi", **fields}
        answer = post(self.v1, body, x_bf_async="true", **sent)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def record(self, job_id: str) -> dict[bytes, bytes]:
        with self.store.client() as client:
            (key,) = client.keys(f"*:job:{job_id}")
            return client.hgetall(key)

    def ended(self, job_id: str) -> dict:
        """The job's answer; its record keeps no key from then on, nor did it ever show it."""
        answer = poll_to_the_end(self.v1, job_id)
        record = self.record(job_id)
        assert b"status" in record
        assert b"caller_key" not in record
        assert MINE.encode() not in b"".join([*record.keys(), *record.values()])
        return answer

    def keys(self) -> list[str]:
        """The keys that the provider was asked with."""
        seen = [each.headers["authorization"] for each in self.upstream.seen]
        return [each.removeprefix("Bearer ") for each in seen]

    def has_noted(self, job_id: str) -> bool:
        return b"upstream_id" in self.record(job_id)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("caller-keys")
    with Upstream(OK) as upstream, BackgroundServer() as background:
        row = {"base_url": f"{upstream.url}/v1"}
        rows = {
            "up": {**row, "api_key_env": "OWN_KEY", "allow_caller_keys": True},
            "bare": {**row, "allow_caller_keys": True},
            "two": {**row, "api_key_envs": ["FIRST_KEY", "SECOND_KEY"]},
            "bg": {"base_url": background.url, "background": True, "allow_caller_keys": True},
        }
        store = StoreServer(folder / "store")
        muninn = Muninn(
            folder,
            store.url,
            providers=json.dumps(rows),
            fallbacks=json.dumps({"up/fails": ["two/m"]}),
            encryption_keys=OLD,
            lease_seconds=1,
            max_attempts=10,
            shutdown_grace_seconds=0.2,
        )
        muninn.env |= {"OWN_KEY": OWN, "FIRST_KEY": FIRST, "SECOND_KEY": SECOND}
        try:
            yield Place(muninn.start(), store, upstream, background)
        finally:
            muninn.stop()
            store.stop()


@pytest.fixture(autouse=True)
def fresh(running: Place) -> None:
    running.upstream.close_idle()
    running.upstream.seen.clear()
    running.upstream.script = [OK]
    running.background.keys.clear()


def test_an_unmodified_sdk_brings_its_key_where_there_is_no_other(running: Place) -> None:
    with OpenAI(base_url=running.v1, api_key=MINE, max_retries=0) as sdk:
        assert sdk.responses.create(model="bare/m", input="hi").id == "resp_1"
        running.upstream.script = [OK, sse_answer(events())]
        list(sdk.responses.create(model="bare/m", input="hi", stream=True))
        running.upstream.script = [OK]
        job_id = sdk.responses.create(model="bare/m", input="hi", background=True).id
        sdk.responses.create(model="up/m", input="hi")
    running.ended(job_id)
    assert sorted(running.keys()) == sorted([OWN, MINE, MINE, MINE])


def test_a_killed_workers_jobs_go_on_with_their_callers_key(running: Place) -> None:
    def once_held(peer: Peer, seen: Seen) -> None:
        if len(running.upstream.seen) <= 2:
            peer.hold()
        for piece in sse_answer(events()) if seen.json["stream"] else [OK]:
            peer.send(piece)

    running.upstream.script = [once_held]
    body = {"model": "up/m", "input": "hi", "background": True, "stream": True}
    headers = {"x-bf-provider-key": MINE}
    with requests.post(
        f"{running.v1}/responses", json=body, headers=headers, stream=True, timeout=10
    ) as opened:
        job_ids = [opened.headers["x-bf-async-id"], running.submit("up/m")]
    running.upstream.wait_for_requests(2)
    running.muninn.workers[-1].kill()
    assert all(running.record(each)[b"caller_key"].startswith(b"gAAAA") for each in job_ids)
    running.muninn.start_worker()
    assert [running.ended(each)["status"] for each in job_ids] == ["completed"] * 2
    assert running.keys() == [MINE] * 4


def test_a_job_that_is_tried_again_brings_it_again(running: Place) -> None:
    running.upstream.script = [BUSY, OK]
    assert running.ended(running.submit("up/m"))["status"] == "completed"
    assert running.keys() == [MINE, MINE]


def test_a_provider_that_names_the_key_in_its_refusal_does_not_show_it(running: Place) -> None:
    refused = {"error": {"message": f"Incorrect API key provided: {MINE}", "code": "bad"}}
    running.upstream.script = [json_answer(refused, status=401)]
    job_id = running.submit("up/m")
    assert running.ended(job_id)["error"] == {
        "code": "bad",
        "message": "Incorrect API key provided: ***",
    }
    assert len(running.keys()) == 1


def test_a_batch_brings_it_to_all_its_jobs(running: Place) -> None:
    items = [{"custom_id": str(n), "body": {"model": "up/m", "input": "x"}} for n in range(3)]
    path, headers = "/v1/async/responses/batch", {"x-bf-provider-key": MINE}
    body = {"requests": items}
    answer = requests.post(running.muninn.root + path, json=body, headers=headers, timeout=10)
    shown = f"{running.muninn.root}{path}/{answer.json()['id']}"
    for item in requests.get(f"{shown}/items", timeout=10).json()["data"]:
        assert running.ended(item["id"])["status"] == "completed"
    assert running.keys() == [MINE] * 3


def test_in_a_providers_background_it_submits_follows_and_cancels(running: Place) -> None:
    followed, cancelled = running.submit("bg/m-1"), running.submit("bg/m-30")
    wait_until(lambda: running.has_noted(followed) and running.has_noted(cancelled), "noted")
    running.muninn.workers[-1].kill()
    running.muninn.start_worker()
    assert running.ended(followed)["output_text"] == "hi"
    wait_until(lambda: running.record(cancelled)[b"status"] == b"in_progress", "taken over")
    requests.post(f"{running.v1}/responses/{cancelled}/cancel", timeout=10)
    wait_until(lambda: running.background.cancels, "the provider is told")
    assert running.ended(cancelled)["status"] == "cancelled"
    assert {verb for verb, _ in running.background.keys} == {"submit", "retrieve", "cancel"}
    assert {key for _, key in running.background.keys} == {MINE}
    assert len(running.background.paid) == 2


def test_a_key_that_cannot_be_decrypted_any_more_fails_the_job(running: Place) -> None:
    running.muninn.workers[-1].stop()
    lost, kept = running.submit("up/m"), running.submit("up/m", key=None)
    other = running.muninn.start_worker(encryption_keys=NEW)
    failed = running.ended(lost)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "caller_key_unusable")
    assert failed["extra_fields"]["attempts"] == 1
    assert running.ended(kept)["status"] == "completed"
    other.stop()
    again = running.submit("up/m")
    running.muninn.start_worker(encryption_keys=f"{NEW}, {OLD}")
    assert running.ended(again)["status"] == "completed"
    assert sorted(running.keys()) == sorted([OWN, MINE])


def test_a_job_takes_the_next_key_at_once_when_one_is_limited(running: Place) -> None:
    limited = json_answer({"error": {"message": "slow down"}}, status=429)

    def vendor(peer: Peer, seen: Seen) -> None:
        peer.send(limited if FIRST in seen.headers["authorization"] else OK)

    running.upstream.script = [vendor]
    for _ in range(3):
        job = running.ended(running.submit("two/m", key=None))
        assert (job["status"], job["extra_fields"]["provider"]) == ("completed", "two")
    keys = running.keys()
    assert keys.count(SECOND) == 3
    assert keys.count(FIRST) == 1
    log = running.muninn.workers[-1].log_text()
    assert re.search(r"provider key rests: .*provider=two place=0 refused=False", log)


def test_a_job_falls_back_by_the_settings_and_keeps_its_key_from_others(running: Place) -> None:
    running.upstream.script = [BUSY, OK]
    job = running.ended(running.submit("up/fails"))
    assert job["extra_fields"]["provider"] == "two"
    assert running.keys()[0] == MINE
    assert running.keys()[1] in (FIRST, SECOND)
    running.upstream.script = [BUSY]
    running.upstream.seen.clear()
    assert post(running.v1, {"model": "up/fails", "fallbacks": []}).status_code == 503
    assert running.keys() == [OWN]


def test_an_unknown_key_is_told_apart_from_a_poll(running: Place) -> None:
    job_id = running.submit("up/m")
    running.ended(job_id)
    assert poll(running.v1, job_id).status_code == 200
    answer = post(running.v1, {"model": "two/m"}, x_bf_provider_key=MINE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "caller_key_not_allowed")
    assert MINE not in answer.text


def test_no_key_is_found_in_the_store_in_a_log_or_in_the_configuration(running: Place) -> None:
    command = [MUNINN, "config"]
    env = {**os.environ, **running.muninn.env}
    shown = subprocess.run(command, env=env, capture_output=True, timeout=20, check=True).stdout
    assert b'ENCRYPTION_KEYS=["***' in shown
    files = [path for path in running.muninn.folder.rglob("*") if path.is_file()]
    assert any("appendonly" in path.name for path in files)
    kept = b"\n".join([shown, *(path.read_bytes() for path in files)])
    assert b"caller_key" in kept
    planted = (MINE, OWN, FIRST, SECOND, OLD, NEW)
    assert [secret for secret in planted if secret.encode() in kept] == []
