"""Live and resumable streams of jobs: `background=True, stream=True` of the official SDK."""

import json
import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
import requests

from tests.support.calling import check_error, events_of_text, poll, poll_to_the_end, post, submit
from tests.support.job_streams import (
    check_numbered,
    is_restart,
    numbers,
    read_raw,
    rest,
    start,
    strict_events,
    take,
    text_of,
)
from tests.support.upstream import HOLD, event, sse_head
from tests.support.vendor import RESPONSE, events
from tests.support.waiting import wait_until

WORDS = "one two three four five six"
AT_ONCE_SECONDS = 5.0  # the providers here would never end it


def finished(client, job_id):
    return client.responses.retrieve(job_id).status not in ("queued", "in_progress")


def finished_stream(stream):
    """The id of the job, after its stream was read to the end."""
    seen = list(stream)
    return seen[0].response.id


def test_events_are_live_and_end_with_the_whole_response(client):
    with start(client, "echo/slow-100ms", WORDS) as stream:
        seen = list(stream)
    check_numbered(seen)
    assert [e.type for e in seen[:3]] == [
        "response.created", "response.queued", "response.in_progress",
    ]  # fmt: skip
    assert text_of(seen) == WORDS
    assert seen[-1].type == "response.completed"
    assert seen[-1].response.output_text == WORDS
    assert {e.response.id for e in seen if hasattr(e, "response")} == {seen[0].response.id}
    # Who is told of the end finds it.
    assert client.responses.retrieve(seen[0].response.id).status == "completed"


def test_leaving_the_stream_does_not_stop_the_job(client):
    (created,) = take(start(client, "echo/slow-400ms", WORDS), 1)
    assert created.response.status == "queued"
    wait_until(lambda: finished(client, created.response.id), "the job ends")
    assert client.responses.retrieve(created.response.id).output_text == WORDS


def test_a_stream_is_resumed_after_any_event_of_it_live_and_ended(client):
    seen = take(start(client, "echo/slow-500ms", WORDS), 5)
    job_id = seen[0].response.id
    live = rest(client, job_id, seen[-1].sequence_number)
    check_numbered(seen + live)
    assert text_of(seen + live) == WORDS
    whole = rest(client, job_id)
    assert [e.to_dict() for e in whole] == [e.to_dict() for e in seen + live]
    for after in numbers(whole):
        assert numbers(rest(client, job_id, after)) == numbers(whole)[after + 1 :]


def test_after_the_last_event_there_is_nothing(client, v1):
    seen = list(start(client, "echo/hello"))
    job_id = seen[0].response.id
    answer = read_raw(v1, job_id, f"stream=true&starting_after={seen[-1].sequence_number}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert rest(client, job_id, 10**9) == []


def test_the_providers_id_leads_to_the_stream_while_it_runs_and_after(client, v1, upstream):
    go = threading.Event()
    upstream_id = f"resp_{uuid.uuid4().hex}"  # other tests' jobs have the usual one
    begun, *others = json.loads(json.dumps(events()).replace(RESPONSE["id"], upstream_id))
    upstream.script = [[sse_head(), event(begun), go, *map(event, others), b"0\r\n\r\n"]]
    seen = take(start(client, "upstream/m"), 2)
    job_id = seen[0].response.id
    wait_until(lambda: poll(v1, upstream_id).status_code == 200, "the provider's id is known")
    with client.responses.retrieve(upstream_id, stream=True) as stream:
        iterator = iter(stream)
        first = [next(iterator), next(iterator)]
        go.set()
        live = [*first, *iterator]
    check_numbered(live)
    assert text_of(live) == "Hi you"
    assert live[0].response.id == live[-1].response.id == job_id
    assert numbers(rest(client, upstream_id)) == numbers(live)
    assert client.responses.retrieve(job_id).id == upstream_id


def test_the_stream_helper_of_the_sdk_gathers_a_jobs_response(client):
    asked = {"model": "echo/reasoning", "input": "think hard", "background": True}
    with client.responses.stream(**asked) as stream:
        kinds = [each.type for each in stream]
        answer = stream.get_final_response()
    assert answer.output_text == "think hard"
    assert kinds[-1] == "response.completed"
    with client.responses.stream(response_id=answer.id, starting_after=4) as stream:
        assert [each.type for each in stream] == kinds[5:]
        assert stream.get_final_response().output_text == "think hard"


def test_a_job_that_was_submitted_without_a_stream_has_one(client, v1):
    job_id = submit(v1, "echo/slow-300ms", input=WORDS)
    live = rest(client, job_id)
    check_numbered(live)
    assert text_of(live) == WORDS
    assert live[-1].response.output_text == WORDS
    assert [e.to_dict() for e in rest(client, job_id)] == [e.to_dict() for e in live]
    for after in (0, 1, 5, len(live) - 1):
        assert numbers(rest(client, job_id, after)) == numbers(live)[after + 1 :]


MODELS = [
    ("echo/hello", "response.completed"),
    ("echo/reasoning", "response.completed"),
    ("echo/structured", "response.completed"),
    ("echo/refusal", "response.completed"),
    ("echo/incomplete", "response.incomplete"),
    ("echo/failed", "response.failed"),
    ("echo/error-400", "response.failed"),
    ("echo/cut-stream", "response.failed"),
]


@pytest.mark.parametrize(("model", "last"), MODELS)
@pytest.mark.parametrize("way", ["streamed", "not streamed"])
def test_every_event_is_strictly_valid_and_the_last_one_right(client, v1, model, last, way):
    if way == "streamed":
        (created,) = take(start(client, model), 1)
        job_id = created.response.id
    else:
        job_id = submit(v1, model)
    seen = strict_events(v1, job_id)
    assert seen[-1]["type"] == last
    assert {e["response"]["id"] for e in seen if "response" in e} == {job_id}
    assert [e["type"] for e in seen[:2]] == ["response.created", "response.queued"]


def test_a_function_call_is_streamed_as_a_job_too(client, v1):
    tool = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
    tools = [tool | {"strict": False}]
    seen = list(start(client, "echo/function-call", tools=tools))
    assert "response.function_call_arguments.delta" in [e.type for e in seen]
    assert seen[-1].response.output[0].type == "function_call"
    strict_events(v1, seen[0].response.id)


def test_a_provider_that_fails_in_the_middle_ends_the_stream_with_its_error(client, upstream):
    failing = {"type": "error", "code": "invalid_prompt", "message": "told", "param": None}
    upstream.script = [[sse_head(), *map(event, events()[:5]), event(failing)]]
    seen = list(start(client, "upstream/m"))
    check_numbered(seen)
    assert text_of(seen) == "Hi you"
    assert seen[-1].type == "response.failed"
    assert (seen[-1].response.error.code, seen[-1].response.error.message) == (
        "invalid_prompt", "told",
    )  # fmt: skip


def test_an_attempt_that_broke_off_is_void_for_its_readers(client, upstream):
    overloaded = {"type": "error", "code": "server_error", "message": "busy", "param": None}
    upstream.script = [
        [sse_head(), *map(event, events()[:4]), event(overloaded)],
        [sse_head(), *map(event, events()), b"0\r\n\r\n"],
    ]
    seen = list(start(client, "upstream/m"))
    check_numbered(seen)
    (restart,) = [place for place, each in enumerate(seen) if is_restart(each)]
    assert text_of(seen[:restart]) == "Hi"
    assert text_of(seen[restart:]) == "Hi you"
    assert seen[restart].extra_fields["attempt"] == 2
    assert seen[-1].type == "response.completed"


def test_cancelling_ends_the_stream_at_once(client, v1, upstream):
    upstream.script = [[sse_head(), *map(event, events()[:5]), HOLD]]
    with start(client, "upstream/m") as stream:
        seen = [next(stream) for _ in range(6)]
        job_id = seen[0].response.id
        at = time.monotonic()
        assert client.responses.cancel(job_id).status == "cancelled"
        seen += list(stream)
    assert time.monotonic() - at < AT_ONCE_SECONDS
    check_numbered(seen)
    assert (seen[-1].type, seen[-1].response.status) == ("response.failed", "cancelled")
    assert upstream.wait_for_requests(1).left.wait(10), "the upstream call goes on"
    assert strict_events(v1, job_id)[-1]["response"]["status"] == "cancelled"


def test_deleting_ends_the_stream_with_an_error_and_its_events_are_gone(client, job_store):
    with start(client, "echo/hang") as stream:
        job_id = next(stream).response.id
        wait_until(lambda: client.responses.retrieve(job_id).status == "in_progress", "it runs")
        at = time.monotonic()
        client.responses.delete(job_id)
        with pytest.raises(openai.APIError, match="deleted"):
            list(stream)
    assert time.monotonic() - at < AT_ONCE_SECONDS
    key = job_store.keys.events(job_id)
    assert job_store.client.pttl(key) in range(-2, 10_001), "an orphan stays"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(job_id, stream=True)


def test_events_expire_with_their_job(client, v1, job_store):
    stream = start(client, "echo/hello", extra_headers={"x-bf-async-job-result-ttl": "2"})
    job_id = finished_stream(stream)
    keys = [job_store.keys.events(job_id), job_store.keys.job(job_id)]
    ends = {job_store.client.pexpiretime(key) for key in keys}
    assert len(ends) == 1
    wait_until(lambda: not job_store.client.exists(*keys), "both expire")
    check_error(read_raw(v1, job_id), 404, "invalid_request_error", "job_not_found")


def test_events_are_deleted_with_their_job(client, job_store):
    job_id = finished_stream(start(client, "echo/hello"))
    assert job_store.client.exists(job_store.keys.events(job_id))
    client.responses.delete(job_id)
    assert not job_store.client.exists(job_store.keys.events(job_id))


def test_a_poll_shows_the_output_so_far(client, v1, upstream):
    upstream.script = [[sse_head(), *map(event, events()[:5]), HOLD]]
    job_id = take(start(client, "upstream/m"), 1)[0].response.id

    def text():
        job = poll(v1, job_id).json()
        return (
            job["status"] == "in_progress"
            and job["output"]
            and (job["output"][0]["content"] and job["output"][0]["content"][0]["text"] == "Hi you")
        )

    wait_until(text, "the text so far is shown")
    polled = client.responses.retrieve(job_id)
    assert (polled.id, polled.output_text) == (job_id, "Hi you")
    client.responses.cancel(job_id)


def test_a_silent_stream_is_kept_open_by_comments(v1, upstream):
    go = threading.Event()
    upstream.script = [[sse_head(), *map(event, events()[:2]), go, *map(event, events()[2:])]]
    body = {"model": "upstream/m", "input": "x", "background": True, "stream": True}
    with requests.post(f"{v1}/responses", json=body, stream=True, timeout=30) as answer:
        lines = answer.iter_lines()
        for _ in range(2):
            assert b": keep-alive" in lines
        go.set()
        assert b"event: response.completed" in lines


@pytest.mark.parametrize("value", ["x", "-1", "", "1.5", "٣", "9" * 30])
def test_a_starting_place_that_is_none_is_refused(v1, value):
    job_id = submit(v1)
    answer = read_raw(v1, job_id, f"stream=true&starting_after={value}")
    check_error(answer, 400, "invalid_request_error", "invalid_value", "starting_after")


def test_the_stream_of_an_unknown_job_is_not_found(v1):
    answer = read_raw(v1, "00000000-0000-4000-8000-000000000000")
    check_error(answer, 404, "invalid_request_error", "job_not_found")


def test_the_same_idempotency_key_leads_to_the_same_stream(v1):
    body = {"model": "echo/slow-100ms", "input": WORDS, "background": True, "stream": True}
    first, second = (post(v1, body, idempotency_key="a stream, twice") for _ in range(2))
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-bf-async-id"] == first.headers["x-bf-async-id"]


def test_200_streams_at_once_are_all_right(muninn):
    def run(number):
        text = f"stream number {number} of them all"
        body = {"model": "echo/slow-2s", "input": text, "background": True, "stream": True}
        answer = post(f"{muninn.root}/v1", body)
        values = [json.loads(each.data) for each in events_of_text(answer.content)]
        assert [v["sequence_number"] for v in values] == list(range(len(values))), number
        deltas = [v["delta"] for v in values if v["type"] == "response.output_text.delta"]
        assert "".join(deltas) == text
        assert values[-1]["type"] == "response.completed"
        assert values[-1]["response"]["output_text"] == text

    began = time.monotonic()
    with ThreadPoolExecutor(200) as threads:
        list(threads.map(run, range(200)))
    assert time.monotonic() - began < 20, "streams waited for each other"


def test_a_reader_that_does_not_read_never_slows_the_worker(muninn, client, v1):
    body = {"model": "echo/size-2048kb", "input": "x", "background": True, "stream": True}
    raw = json.dumps(body).encode()
    head = "POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", muninn.port), timeout=30) as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        lazy.sendall(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)
        answer = lazy.recv(4096)
        job_id = answer.lower().split(b"x-bf-async-id: ")[1][:36].decode()
        assert poll_to_the_end(v1, job_id, 20)["status"] == "completed"
        received = len(answer)
        while b'"response.completed"' not in answer:
            piece = lazy.recv(1 << 20)
            assert piece, "the stream was cut"
            received += len(piece)
            answer = answer[-100:] + piece
    assert received > 4 * 1024 * 1024
