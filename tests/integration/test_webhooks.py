"""Webhooks, from a submit to a receiver's door, with real processes and a real receiver."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from openai import OpenAI

from common.store.keys import Keys
from tests.support.calling import check_error, submit
from tests.support.processes import Muninn, StoreServer
from tests.support.upstream import HOLD, Upstream, answer
from tests.support.waiting import wait_until
from tests.support.webhooks import (
    OLD_SECRET,
    SECRET,
    rows,
    verified_by_openai,
    verified_by_standardwebhooks,
)

HEADER = "x-bf-async-webhook"
TAKEN = answer(status=204)


@dataclass
class Place:
    """A running Muninn and the receiver that its endpoints lead to."""

    muninn: Muninn
    receiver: Upstream
    store: StoreServer

    def submit(self, model: str = "echo/hello", webhook: str | None = "hook") -> str:
        with self.client() as client:
            headers = {HEADER: webhook} if webhook else {}
            response = client.responses.create(
                model=model, input="hi", background=True, extra_headers=headers
            )
        return response.id

    def client(self) -> OpenAI:
        base_url = f"{self.muninn.root}/openai/v1"
        return OpenAI(base_url=base_url, api_key="unused", max_retries=0)

    def url(self, job_id: str, call: str = "") -> str:
        return f"{self.muninn.root}/v1/async/responses/{job_id}{call}"

    def webhook(self, job_id: str) -> dict:
        return requests.get(self.url(job_id), timeout=10).json()["webhook"]

    def settled(self, job_id: str, status: str) -> dict:
        """How the delivery is shown as soon as it has this status."""
        wait_until(lambda: self.webhook(job_id)["status"] == status, f"the webhook is {status}")
        return self.webhook(job_id)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, store: StoreServer) -> Iterator[Place]:
    with Upstream(TAKEN) as receiver:
        tenants = {"url": f"{receiver.url}/tenants", "secret_envs": ["TENANTS"]}
        muninn = Muninn(
            tmp_path_factory.mktemp("muninn"),
            store.url,
            webhooks=rows(f"{receiver.url}/in", tenants={**tenants, "allow_below": True}),
            webhook_allow_private=True,
            webhook_timeout_seconds=1,
            webhook_first_delay_seconds=0.1,
            webhook_max_attempts=3,
            lease_seconds=3,
        )
        muninn.env["TENANTS"] = OLD_SECRET
        try:
            yield Place(muninn.start(), receiver, store)
        finally:
            muninn.stop()


@pytest.fixture
def place(running: Place) -> Place:
    # A delivery of the test before, sent once more, would get an answer that is meant for another.
    with running.store.client() as client:
        wait_until(lambda: not client.exists(Keys().index("webhooks", 0)), "all is delivered")
    running.receiver.close_idle()
    running.receiver.script = [TAKEN]
    running.receiver.seen.clear()
    return running


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("echo/hello", "response.completed"),
        ("echo/error-400", "response.failed"),
        ("echo/failed", "response.failed"),
        ("echo/incomplete", "response.incomplete"),
        ("echo/hang", "response.cancelled"),
    ],
)
def test_each_end_of_a_job_is_told_and_verified_by_the_sdk(
    place: Place, model: str, kind: str
) -> None:
    job_id = place.submit(model)
    with place.client() as client:
        if kind == "response.cancelled":
            client.responses.cancel(job_id)
        seen = place.receiver.wait_for_requests(1)
        event = verified_by_openai(seen)
        status = client.responses.retrieve(event.data.id).status
    assert (event.type, event.object, event.data.id) == (kind, "event", job_id)
    assert kind == f"response.{status}"
    assert type(event).__name__ == f"Response{str(status).title()}WebhookEvent"
    assert verified_by_openai(seen, OLD_SECRET) == event
    for secret in (SECRET, OLD_SECRET):
        assert verified_by_standardwebhooks(seen, secret)["id"] == event.id
    shown = place.settled(job_id, "delivered")
    assert (shown["endpoint"], shown["attempts"], shown["last_status_code"]) == ("hook", 1, 204)
    assert shown["delivered_at"]


def test_the_envelope_and_the_async_header_take_a_webhook_too(place: Place) -> None:
    body = {"model": "echo/hello", "input": "hi"}
    url = f"{place.muninn.root}/v1/async/responses"
    first = requests.post(url, json=body, headers={HEADER: "hook"}, timeout=10).json()["id"]
    url = f"{place.muninn.root}/openai/responses"
    headers = {HEADER: "hook", "x-bf-async": "true"}
    second = requests.post(url, json=body, headers=headers, timeout=10).json()["id"]
    place.receiver.wait_for_requests(2)
    assert {seen.json["data"]["id"] for seen in place.receiver.seen} == {first, second}


def test_a_url_that_is_allowed_is_told_and_signed_with_its_own_secret(place: Place) -> None:
    url = f"{place.receiver.url}/tenants/7?token=planted-token"
    job_id = place.submit(webhook=url)
    seen = place.receiver.wait_for_requests(1)
    assert seen.target == "/tenants/7?token=planted-token"
    assert verified_by_openai(seen, OLD_SECRET).data.id == job_id
    shown = place.settled(job_id, "delivered")["endpoint"]
    assert shown == f"{place.receiver.url}/tenants/7?token=***"


@pytest.mark.parametrize("webhook", ["nobody", "https://evil.example/", "http://127.0.0.1:1/in"])
def test_a_webhook_that_is_not_configured_is_refused_and_nothing_is_stored(
    place: Place, webhook: str
) -> None:
    headers = {HEADER: webhook, "x-bf-async": "true"}
    body = {"model": "echo/hello", "input": "hi", "metadata": {"refused": webhook}}
    url = f"{place.muninn.root}/v1/responses"
    refused = requests.post(url, json=body, headers=headers, timeout=10)
    check_error(refused, 400, "invalid_request_error", "invalid_value", HEADER)
    url = f"{place.muninn.root}/v1/async/responses"
    assert requests.get(url, params={"metadata.refused": webhook}, timeout=10).json()["data"] == []


def test_a_receiver_that_fails_twice_is_asked_a_third_time(place: Place) -> None:
    place.receiver.script = [answer(status=500), answer(status=503), TAKEN]
    job_id = place.submit()
    shown = place.settled(job_id, "delivered")
    assert (shown["attempts"], shown["last_status_code"]) == (3, 204)
    seen = place.receiver.seen
    assert len({each.headers["webhook-id"] for each in seen}) == 1
    assert len({each.body for each in seen}) == 1
    assert all(verified_by_openai(each).data.id == job_id for each in seen)


def test_a_receiver_that_hangs_is_left_and_asked_again(place: Place) -> None:
    place.receiver.script = [HOLD, TAKEN]
    job_id = place.submit()
    place.receiver.wait_for_requests(1)
    shown = wait_until(
        lambda: (found := place.webhook(job_id))["last_error"] and found, "the first is over"
    )
    assert (shown["last_error"], shown["last_status_code"]) == ("timeout", None)
    assert place.settled(job_id, "delivered")["attempts"] == 2


def test_a_redirect_is_not_followed_given_up_in_the_end_and_can_be_sent_again(
    place: Place,
) -> None:
    with Upstream(TAKEN) as inner:
        place.receiver.script = [answer(status=307, headers={"location": f"{inner.url}/in"})]
        job_id = place.submit()
        shown = place.settled(job_id, "given_up")
    assert inner.connections == 0
    assert (shown["attempts"], shown["last_status_code"]) == (3, 307)
    assert shown["last_error"] == "redirected"
    assert "next_attempt_at" not in shown
    place.receiver.script = [TAKEN]
    again = requests.post(place.url(job_id, "/webhook"), timeout=10)
    assert again.status_code == 202
    assert again.json()["webhook"]["status"] == "pending"
    assert place.settled(job_id, "delivered")["attempts"] == 1


def test_only_an_ended_job_with_a_webhook_is_told_of_again(place: Place) -> None:
    without = submit(f"{place.muninn.root}/v1")
    running = place.submit("echo/hang")
    for job_id in (without, running):
        refused = requests.post(place.url(job_id, "/webhook"), timeout=10)
        check_error(refused, 400, "invalid_request_error", "invalid_value", "id")
    requests.delete(place.url(running), timeout=10)
    gone = requests.post(place.url(running, "/webhook"), timeout=10)
    check_error(gone, 404, "invalid_request_error", "job_not_found")


def test_a_worker_that_is_killed_while_it_delivers_costs_a_lease(place: Place) -> None:
    place.receiver.script = [HOLD, TAKEN]
    job_id = place.submit()
    place.receiver.wait_for_requests(1)
    place.muninn.workers[-1].kill()
    assert place.webhook(job_id)["status"] == "pending"
    place.muninn.start_worker()
    shown = place.settled(job_id, "delivered")
    assert shown["attempts"] == 2
    first, second = place.receiver.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_private_addresses_are_not_reached_unless_allowed(place: Place, folder) -> None:
    # With a broker that is not the store, as another way for the message.
    server = place.store.url.removesuffix("/0")
    strict = Muninn(
        folder,
        f"{server}/1",
        broker_url=f"{server}/2",
        webhooks=rows(f"{place.receiver.url}/in"),
        webhook_max_attempts=1,
        lease_seconds=3,
    )
    connections = place.receiver.connections
    try:
        elsewhere = Place(strict.start(), place.receiver, place.store)
        shown = elsewhere.settled(elsewhere.submit(), "given_up")
    finally:
        strict.stop()
    assert (shown["last_error"], shown["last_status_code"]) == ("private_address", None)
    assert place.receiver.connections == connections
    assert "Traceback" not in strict.workers[0].log_text()


def test_no_secret_is_in_a_log_or_was_ever_written_to_redis(place: Place) -> None:
    # The last test of this file, so that all the others have left their traces.
    secrets = [SECRET.encode(), OLD_SECRET.encode()]
    secrets += [base64.b64decode(secret.removeprefix(b"whsec_")) for secret in secrets[:2]]
    logs = [process.log for process in (*place.muninn.fronts, *place.muninn.workers)]
    written = [path for path in place.store.folder.rglob("*") if path.is_file()]
    assert any(b"webhook_state" in path.read_bytes() for path in written)
    for path in [*logs, *written]:
        text = path.read_bytes()
        assert not any(secret in text for secret in secrets), path.name
    for path in logs:
        assert b"planted-token" not in path.read_bytes()
        assert b"Traceback" not in path.read_bytes()
