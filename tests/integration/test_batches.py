"""Batches: many requests submitted, watched, cancelled and told of as one."""

from collections.abc import Iterator

import pytest
import requests

from tests.support.processes import Muninn, StoreServer
from tests.support.upstream import Upstream, answer
from tests.support.waiting import wait_until
from tests.support.webhooks import SECRET, rows, verified_by_openai


@pytest.fixture(scope="module")
def receiver() -> Iterator[Upstream]:
    with Upstream(answer(status=204)) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, store: StoreServer, receiver: Upstream
) -> Iterator[Muninn]:
    """A Muninn of its own, for it has a webhook configured, with a queue for 1,010 jobs."""
    running = Muninn(
        tmp_path_factory.mktemp("batches"),
        store.url,
        webhooks=rows(receiver.url),
        webhook_allow_private="true",
        max_queued_jobs=1010,
    )
    try:
        yield running.start()
    finally:
        running.stop()


def requests_of(*models: str) -> list[dict]:
    return [
        {"custom_id": f"item-{index}", "body": {"model": model, "input": f"input {index}"}}
        for index, model in enumerate(models)
    ]


def submitted(place: Muninn, items: list[dict], **headers: str) -> requests.Response:
    url = f"{place.root}/v1/async/responses/batch"
    return requests.post(url, json={"requests": items}, headers=headers, timeout=30)


def shown(place: Muninn, batch_id: str, rest: str = "", **query: object) -> dict:
    url = f"{place.root}/v1/async/responses/batch/{batch_id}{rest}"
    response = requests.get(url, params=query, timeout=10)
    assert response.status_code == 200, response.text
    return response.json()


def completed(place: Muninn, batch_id: str) -> dict:
    wait_until(lambda: shown(place, batch_id)["status"] == "completed", "the batch has ended")
    return shown(place, batch_id)


def test_a_batch_counts_its_jobs_and_names_them_as_the_caller_did(place: Muninn) -> None:
    response = submitted(place, requests_of("echo/hello", "echo/error-400", "echo/slow-50ms"))
    assert response.status_code == 202
    batch = completed(place, response.json()["id"])
    assert batch["counts"] == {
        "total": 3,
        "pending": 0,
        "processing": 0,
        "completed": 2,
        "failed": 1,
        "cancelled": 0,
        "expired": 0,
    }
    assert batch["completed_at"] >= batch["created_at"]
    items = shown(place, batch["id"], "/items")["data"]
    assert [item["custom_id"] for item in items] == ["item-0", "item-1", "item-2"]
    assert [item["status"] for item in items] == ["completed", "failed", "completed"]


def test_the_items_are_ordinary_jobs(place: Muninn) -> None:
    batch = submitted(place, requests_of("echo/hello")).json()
    completed(place, batch["id"])
    job_id = shown(place, batch["id"], "/items")["data"][0]["id"]
    job = requests.get(f"{place.root}/openai/v1/responses/{job_id}", timeout=10).json()
    assert job["output_text"] == "input 0"


def test_a_thousand_requests_come_in_pages(place: Muninn) -> None:
    batch = submitted(place, requests_of(*["echo/hello"] * 1000)).json()
    names: list[str] = []
    page = shown(place, batch["id"], "/items", limit=100)
    while True:
        names += [item["custom_id"] for item in page["data"]]
        if not page["has_more"]:
            break
        page = shown(place, batch["id"], "/items", limit=100, after=names[-1])
    assert names == [f"item-{index}" for index in range(1000)]
    assert completed(place, batch["id"])["counts"]["completed"] == 1000


def test_one_call_cancels_all_that_has_not_ended(place: Muninn) -> None:
    models = ["echo/hello", *["echo/slow-60s"] * 20]
    batch = submitted(place, requests_of(*models)).json()
    wait_until(lambda: shown(place, batch["id"])["counts"]["completed"] == 1, "the first is done")
    url = f"{place.root}/v1/async/responses/batch/{batch['id']}/cancel"
    counts = requests.post(url, timeout=10).json()["counts"]
    assert (counts["completed"], counts["cancelled"]) == (1, 20)


def test_one_webhook_tells_of_the_end_of_the_last_job(place: Muninn, receiver: Upstream) -> None:
    already = len(receiver.seen)
    items = requests_of("echo/hello", "echo/slow-300ms", "echo/hello")
    batch = submitted(place, items, **{"x-bf-async-webhook": "hook"}).json()
    wait_until(lambda: len(receiver.seen) > already, "the receiver is told")
    (told,) = receiver.seen[already:]
    event = verified_by_openai(told, SECRET)
    assert (event.type, event.data.id) == ("batch.completed", batch["id"])
    assert shown(place, batch["id"])["status"] == "completed"


@pytest.mark.parametrize(
    ("items", "param"),
    [
        (None, "requests"),
        ({}, "requests"),
        ([], "requests"),
        ([{"custom_id": "a"}], "requests[0]"),
        ([{"body": {"model": "echo/hello"}}], "requests[0].custom_id"),
        ([{"custom_id": "a", "body": {"model": 5}}], "requests[0].body.model"),
        ([{"custom_id": "a", "body": {"model": "nope/x"}}], "requests[0].body.model"),
        (
            [{"custom_id": "a", "body": {"model": "echo/hello", "stream": True}}],
            "requests[0].body.stream",
        ),
        ([{"custom_id": "a", "body": {"model": "echo/hello"}}] * 2, "requests"),
        (requests_of(*["echo/hello"] * 1001), "requests"),
    ],
)
def test_a_batch_with_one_bad_request_is_refused_whole(
    place: Muninn, store: StoreServer, items: object, param: str
) -> None:
    before = set(store.client().keys("muninn:*job:*"))
    response = submitted(place, items)  # type: ignore[arg-type]
    assert response.status_code in (400, 404)
    assert response.json()["error"]["param"] == param
    assert set(store.client().keys("muninn:*job:*")) <= before


def test_a_batch_that_does_not_fit_into_the_queue_leaves_nothing(
    place: Muninn, store: StoreServer
) -> None:
    (worker,) = place.workers
    worker.stop()
    try:
        first = submitted(place, requests_of(*["echo/hello"] * 20))
        assert first.status_code == 202
        before = set(store.client().keys("muninn:*job:*"))
        second = submitted(place, requests_of(*["echo/hello"] * 1000))
        assert second.status_code == 429
        assert set(store.client().keys("muninn:*job:*")) == before
    finally:
        place.workers.clear()
        place.start_worker()
    completed(place, first.json()["id"])


def test_an_unknown_batch_is_not_found(place: Muninn) -> None:
    url = f"{place.root}/v1/async/responses/batch/0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
    assert requests.get(url, timeout=10).status_code == 404
    assert requests.get(f"{url}/items", timeout=10).status_code == 404
    assert requests.post(f"{url}/cancel", timeout=10).status_code == 404
