"""Providers with a background mode of their own: each job is paid for once, whatever dies."""

import json
from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.support.background_server import BackgroundServer
from tests.support.calling import poll, poll_to_the_end, post, submit
from tests.support.job_streams import check_numbered, is_restart, rest, start, take, text_of
from tests.support.processes import Muninn, StoreServer
from tests.support.waiting import wait_until

WORDS = "one two three four five six seven eight"


@pytest.fixture(scope="module")
def own_store(tmp_path_factory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("background-store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def provider() -> Iterator[BackgroundServer]:
    with BackgroundServer() as server:
        yield server


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, own_store, provider) -> Iterator[Muninn]:
    """A front and a worker; each test leaves a worker running."""
    rows = {"up": {"base_url": f"{provider.url}?version=1", "background": True}}
    running = Muninn(
        tmp_path_factory.mktemp("background"),
        own_store.url,
        lease_seconds=2,
        max_attempts=10,
        shutdown_grace_seconds=0.2,
        providers=json.dumps(rows),
        default_provider="up",
    )
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def url(fragile):
    return f"{fragile.root}/v1"


@pytest.fixture
def client(url) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="unused", max_retries=0) as sdk:
        yield sdk


@pytest.fixture(autouse=True)
def fresh(provider):
    provider.paid.clear()
    provider.plain.clear()
    provider.cancels.clear()


def wait_until_noted(provider, own_store, count=1):
    """The provider works, and the worker has written down on what."""

    def noted():
        if len(provider.paid) < count:
            return False
        ids = list(provider.works)[-count:]
        with own_store.client() as client:
            keys = [key for key in client.keys("*:job:*") if b":events" not in key]
            known = {client.hget(key, "upstream_id") for key in keys}
        return all(id_.encode() in known for id_ in ids)

    wait_until(noted, "the upstream ids are noted")


def test_a_job_is_submitted_in_background_and_followed(url, provider):
    answer = poll_to_the_end(url, submit(url, "m-0.5", input=WORDS))
    assert answer["output_text"] == WORDS
    (work,) = [w for w in provider.works.values() if w.id == answer["id"]]
    assert (work.body["background"], work.body["store"]) == (True, True)
    assert provider.paid == [WORDS]
    assert provider.plain == []


def test_jobs_of_a_killed_worker_are_called_once(fragile, url, own_store, provider):
    texts = [f"job {number}" for number in range(5)]
    job_ids = [submit(url, "m-2.5", input=text) for text in texts]
    wait_until_noted(provider, own_store, 5)
    fragile.workers[-1].kill()
    fragile.start_worker()
    answers = [poll_to_the_end(url, job_id) for job_id in job_ids]
    assert [answer["output_text"] for answer in answers] == texts
    assert sorted(provider.paid) == texts
    assert {a["id"] for a in answers} <= set(provider.works)


def test_a_deploy_calls_no_job_again(fragile, url, own_store, provider):
    job_id = submit(url, "m-1.5", input=WORDS)
    wait_until_noted(provider, own_store)
    old = fragile.workers[-1]
    fragile.start_worker()
    old.stop()
    assert poll_to_the_end(url, job_id)["output_text"] == WORDS
    assert provider.paid == [WORDS]
    assert provider.cancels == []


def test_a_restart_of_the_store_calls_no_job_again(url, own_store, provider):
    job_id = submit(url, "m-1.5", input=WORDS)
    wait_until_noted(provider, own_store)
    own_store.process.kill()
    own_store.restart()
    assert poll_to_the_end(url, job_id)["output_text"] == WORDS
    assert provider.paid == [WORDS]


def test_a_provider_that_cannot_tell_for_a_while_is_asked_again(url, own_store, provider):
    provider.retrieves_to_fail = 3
    job_id = submit(url, "m-0.3", input=WORDS)
    assert poll_to_the_end(url, job_id)["output_text"] == WORDS
    assert provider.retrieves_to_fail == 0
    assert provider.paid == [WORDS]


@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_a_response_that_its_provider_has_lost_fails_and_is_not_paid_again(
    way, url, client, own_store, provider
):
    if way == "streamed":
        provider.cut_streams_after.append(4)
        job_id = take(start(client, "m-1.5", WORDS), 1)[0].response.id
    else:
        job_id = submit(url, "m-1.5", input=WORDS)
    wait_until_noted(provider, own_store)
    provider.works.clear()
    answer = poll_to_the_end(url, job_id)
    assert (answer["status"], answer["error"]["code"]) == ("failed", "not_found")
    assert provider.paid == [WORDS]


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_cancelling_and_deleting_reach_the_provider(way, verb, client, own_store, provider):
    if way == "streamed":
        job_id = take(start(client, "m-30", WORDS), 2)[0].response.id
    else:
        job_id = client.responses.create(model="m-30", input=WORDS, background=True).id
    wait_until_noted(provider, own_store)
    upstream_id = list(provider.works)[-1]
    getattr(client.responses, verb)(job_id)
    wait_until(lambda: provider.cancels == [upstream_id], "the provider is told")


def test_a_job_cancelled_while_no_worker_has_it_is_cancelled_at_the_provider(
    fragile, client, own_store, provider
):
    job_id = client.responses.create(model="m-30", input=WORDS, background=True).id
    wait_until_noted(provider, own_store)
    fragile.workers[-1].stop()
    client.responses.cancel(job_id)
    fragile.start_worker()
    wait_until(lambda: provider.cancels == [list(provider.works)[-1]], "the provider is told")


def test_a_streamed_job_of_a_killed_worker_is_called_once(fragile, client, own_store, provider):
    with start(client, "m-2", WORDS) as stream:
        seen = [next(stream) for _ in range(7)]
        wait_until_noted(provider, own_store)
        fragile.workers[-1].kill()
        fragile.start_worker()
        seen += list(stream)
    check_numbered(seen)
    (restart,) = [place for place, each in enumerate(seen) if is_restart(each)]
    assert text_of(seen[restart:]) == WORDS
    assert seen[-1].response.output_text == WORDS
    assert provider.paid == [WORDS]


def test_a_stream_that_loses_its_connection_goes_on_where_it_broke(client, provider):
    provider.cut_streams_after += [5, 2, 0]
    before = provider.streams_opened
    seen = list(start(client, "m-0.5", WORDS))
    check_numbered(seen)
    assert not any(map(is_restart, seen))
    assert text_of(seen) == WORDS
    assert seen[-1].type == "response.completed"
    assert provider.streams_opened - before == 4
    assert provider.paid == [WORDS]


def test_a_streamed_job_is_found_by_the_providers_id_while_it_runs(client, url, provider):
    seen = take(start(client, "m-1", WORDS), 4)
    upstream_id = list(provider.works)[-1]
    assert poll(url, upstream_id).json()["id"] == seen[0].response.id
    assert text_of(rest(client, upstream_id)) == WORDS


def test_what_is_not_to_be_stored_is_not_run_in_the_background(url, provider):
    answer = post(url, {"model": "m-0.1", "input": "secret", "store": False}, x_bf_async="true")
    assert poll_to_the_end(url, answer.json()["id"])["output_text"] == "secret"
    assert provider.plain == ["secret"]
    assert list(provider.works.values())[-1].body["store"] is False


def test_inline_calls_are_plain(url, provider):
    assert post(url, {"model": "m-0.1", "input": "now"}).json()["output_text"] == "now"
    assert provider.plain == ["now"]
