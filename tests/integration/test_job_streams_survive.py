"""Streams of jobs over the death of workers, fronts and the store, and with few events kept."""

import threading
from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.integration.conftest import provider_rows
from tests.support.calling import poll
from tests.support.job_streams import (
    check_numbered,
    is_restart,
    numbers,
    rest,
    start,
    strict_events,
    take,
    text_of,
)
from tests.support.processes import HOST, Muninn, StoreServer, free_port
from tests.support.upstream import HOLD, Upstream, event, sse_head
from tests.support.vendor import MESSAGE, PART, events
from tests.support.waiting import wait_until

WORDS = "one two three four five six seven eight"
KEPT = 100
PIECES = 450


@pytest.fixture(scope="module")
def own_store(tmp_path_factory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("streams-store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(b"") as server:
        yield server


@pytest.fixture(scope="module")
def fragile(tmp_path_factory, own_store, vendor) -> Iterator[Muninn]:
    """Two fronts and a worker; each test leaves a worker running."""
    running = Muninn(
        tmp_path_factory.mktemp("streams"),
        own_store.url,
        lease_seconds=2,
        max_attempts=10,
        max_job_events=KEPT,
        shutdown_grace_seconds=0.3,
        providers=provider_rows(vendor.url),
        default_provider="echo",
        stream_heartbeat_seconds=1,
    )
    running.env["PLANTED_KEY"] = "k"
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def first(fragile) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{fragile.root}/v1", api_key="unused", max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def second(fragile) -> Iterator[OpenAI]:
    port = free_port()
    fragile.start_front(port)
    with OpenAI(base_url=f"http://{HOST}:{port}/v1", api_key="unused", max_retries=0) as sdk:
        yield sdk


def long_stream() -> list[bytes]:
    """The events of a message in many pieces, up to the last of them."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    deltas = [
        {"type": "response.output_text.delta", **place, "delta": f"{n} ", "logprobs": []}
        for n in range(PIECES)
    ]
    return [sse_head(), *map(event, [*events()[:3], *deltas])]


def held_and_whole() -> list[list[object]]:
    """An attempt that is stuck after its two deltas, and then one that is not."""
    whole = [sse_head(), *map(event, events()), b"0\r\n\r\n"]
    return [[*whole[:6], HOLD], whole]


ALL_PIECES = "".join(f"{n} " for n in range(PIECES))


def end_of_long_stream() -> list[bytes]:
    message = {**MESSAGE, "content": [{**PART, "text": ALL_PIECES}]}
    completed = {**events()[-1], "response": {**events()[-1]["response"], "output": [message]}}
    return [event({**events()[-2], "item": message}), event(completed), b"0\r\n\r\n"]


def test_a_stream_in_three_pieces_by_two_fronts_over_a_killed_worker(fragile, first, second):
    one = take(start(first, "echo/slow-3s", WORDS), 6)
    job_id = one[0].response.id
    two = []
    with second.responses.retrieve(
        job_id, stream=True, starting_after=one[-1].sequence_number
    ) as stream:
        two.append(next(stream))
        fragile.workers[-1].kill()
        fragile.start_worker()
        for each in stream:
            two.append(each)
            if is_restart(each):
                break
        two += [next(stream) for _ in range(3)]
    three = rest(first, job_id, two[-1].sequence_number)
    seen = one + two + three
    check_numbered(seen)
    (restart,) = [place for place, each in enumerate(seen) if is_restart(each)]
    assert seen[restart].extra_fields["attempt"] == 2
    assert WORDS.startswith(text_of(seen[:restart]))
    assert text_of(seen[restart:]) == WORDS
    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output_text == WORDS
    assert [e.to_dict() for e in rest(second, job_id)] == [e.to_dict() for e in seen]
    assert second.responses.retrieve(job_id).extra_fields["provider"] == "echo"
    strict_events(f"{fragile.root}/v1", job_id)


def test_a_deploy_restarts_the_stream_on_the_next_worker(fragile, first, vendor):
    vendor.seen.clear()
    vendor.script = held_and_whole()
    with start(first, "upstream/m") as stream:
        seen = [next(stream) for _ in range(6)]
        fragile.workers[-1].stop()
        fragile.start_worker()
        seen += list(stream)
    check_numbered(seen)
    (restart,) = [place for place, each in enumerate(seen) if is_restart(each)]
    assert text_of(seen[restart:]) == "Hi you"
    assert seen[-1].response.output_text == "Hi you"


def test_a_reader_goes_on_over_a_restart_of_the_store(own_store, first):
    with start(first, "echo/slow-2500ms", WORDS) as stream:
        seen = [next(stream) for _ in range(6)]
        own_store.process.kill()
        own_store.restart()
        seen += list(stream)
    check_numbered(seen)
    assert text_of([each for each in seen if not is_restart(each)]).endswith(WORDS)
    assert seen[-1].response.output_text == WORDS


def test_one_who_comes_late_to_a_long_stream_gets_the_output_so_far(
    fragile, own_store, first, vendor
):
    go = threading.Event()
    vendor.script = [[*long_stream(), go, *end_of_long_stream()]]
    live = start(first, "upstream/m")
    job_id = next(live).response.id
    live.close()
    path = f"{fragile.root}/v1"

    def shown():
        output = poll(path, job_id).json()["output"]
        return output and output[0]["content"] and output[0]["content"][0]["text"] == ALL_PIECES

    wait_until(shown, "all is shown to a poll", 10)
    with own_store.client() as client:
        (key,) = [key for key in client.keys("*:events") if job_id.encode() in key]
        assert KEPT <= client.xlen(key) < KEPT + 110
    with first.responses.retrieve(job_id, stream=True) as stream:
        seen = [next(stream) for _ in range(3)]
        go.set()
        seen += list(stream)
    snapshot = seen[2]
    assert snapshot.type == "response.in_progress"
    assert snapshot.extra_fields["snapshot"] is True
    so_far = snapshot.response.output[0].content[0].text
    assert so_far + text_of(seen[3:]) == ALL_PIECES
    check_numbered(seen[2:], snapshot.sequence_number)
    assert seen[-1].response.output_text == ALL_PIECES


def test_one_who_comes_after_the_end_of_a_long_stream_gets_its_answer(fragile, first, vendor):
    vendor.script = [[*long_stream(), *end_of_long_stream()]]
    live = list(start(first, "upstream/m"))
    assert live[-1].response.output_text == ALL_PIECES
    job_id = live[0].response.id
    seen = rest(first, job_id)
    assert [e.type for e in seen[2:]] == ["response.in_progress", "response.completed"]
    assert seen[2].extra_fields["snapshot"] is True
    assert numbers(seen[2:]) == numbers(live)[-2:]
    assert seen[-1].to_dict() == live[-1].to_dict()
    last = numbers(live)[-1]
    assert numbers(rest(first, job_id, last - 20)) == list(range(last - 19, last + 1))


def test_a_job_past_its_deadline_ends_its_stream(fragile, first, vendor):
    fragile.workers[-1].stop()
    fragile.start_worker(run_deadline_seconds=1)  # stays: no test follows
    vendor.script = [[*long_stream()[:6], HOLD]]
    seen = list(start(first, "upstream/m"))  # the provider would never end it
    check_numbered(seen)
    assert seen[-1].type == "response.failed"
    assert seen[-1].response.error.code == "deadline_exceeded"
