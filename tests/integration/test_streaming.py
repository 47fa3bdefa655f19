"""Streams over real HTTP: what is on the wire, and when."""

import json
import threading
import time

import pytest
import requests

from tests.support.calling import SECONDS, check_error, events_of_text, post
from tests.support.strict import check_stream
from tests.support.upstream import CUT, HOLD, chunk, event, sse_answer, sse_head

CREATED = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def open_stream(base_url, model, text="Hello, my dear world", **fields):
    return requests.post(
        f"{base_url}/responses",
        json={"model": model, "input": text, "stream": True, **fields},
        stream=True,
        timeout=SECONDS,
    )


def test_a_stream_is_valid_in_order_and_numbered(base_url):
    answer = post(base_url, {"model": "echo/hello", "input": "a b", "stream": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    events = check_stream(events_of_text(answer.content))
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[0]["extra_fields"] == {
        "request_type": "responses",
        "provider": "echo",
        "model_requested": "echo/hello",
        "model_deployment": "hello",
        "chunk_index": 0,
    }


def test_on_the_wire_every_event_has_an_event_line_and_a_data_line_and_nothing_is_done(v1):
    answer = post(v1, {"model": "echo/hello", "input": "a b", "stream": True})
    blocks = answer.content.split(b"\n\n")
    assert blocks.pop() == b""
    for block in blocks:
        first, second = block.split(b"\n")
        assert first.startswith(b"event: ")
        assert second.startswith(b"data: {")
    assert b"[DONE]" not in answer.content


@pytest.mark.parametrize(
    "body",
    [
        {
            "model": "echo/function-call",
            "tools": [{"type": "function", "name": "get_weather", "parameters": SCHEMA}],
        },
        {"model": "echo/reasoning"},
        {
            "model": "echo/structured",
            "text": {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}},
        },
        {"model": "echo/refusal"},
        {"model": "echo/incomplete"},
        {"model": "echo/failed"},
        {"model": "echo/slow-50ms"},
        {"model": "echo/size-20kb"},
    ],
    ids=lambda body: body["model"],
)
def test_every_kind_of_stream_is_strictly_valid(v1, body):
    answer = post(v1, {"input": "Hello, my world", "stream": True, **body})
    assert answer.status_code == 200
    check_stream(events_of_text(answer.content))


def test_an_event_is_on_the_wire_as_soon_as_the_provider_sends_it(v1, upstream):
    second = threading.Event()
    upstream.script = [[sse_head(), event(CREATED), second, CUT]]
    with open_stream(v1, "upstream/m") as answer:
        first_line = next(answer.iter_lines())
        assert first_line == b"event: response.created"
        second.set()


def test_a_silent_stream_gets_a_comment(v1, upstream):
    upstream.script = [[sse_head(), HOLD]]
    with open_stream(v1, "upstream/m") as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert [next(lines) for _ in range(2)] == [b": keep-alive"] * 2


def test_the_echo_providers_silence_gets_a_comment_too(v1):
    with open_stream(v1, "echo/slow-3s", "word") as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert b": keep-alive" in lines
    assert lines[-1].startswith(b'data: {"type":"response.completed"')


def test_a_stream_that_the_provider_cuts_ends_with_an_error_event(v1):
    answer = post(v1, {"model": "echo/cut-stream", "input": "a b c d", "stream": True})
    *events, last = events_of_text(answer.content)
    assert b"response.output_text.delta" in [event.name for event in events]
    assert last.name == b"error"
    events = check_stream([*events, last])
    assert events[-1]["code"] == "provider_error"
    assert events[-1]["param"] is None
    assert events[-1]["message"]


@pytest.mark.parametrize(
    ("model", "status", "kind", "code"),
    [
        ("echo/error-429", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("echo/error-500", 500, "server_error", "server_error"),
        ("echo/reset", 502, "provider_error", "provider_error"),
        ("echo/timeout", 504, "provider_timeout", "provider_timeout"),
    ],
)
def test_an_error_before_the_first_event_is_plain_json_with_its_status(
    v1, model, status, kind, code
):
    check_error(post(v1, {"model": model, "input": "x", "stream": True}), status, kind, code)


def test_when_the_client_leaves_mid_stream_the_provider_sees_the_connection_close(v1, upstream):
    upstream.script = [[sse_head(), event(CREATED), HOLD]]
    answer = open_stream(v1, "upstream/m")
    next(answer.iter_lines())
    seen = upstream.wait_for_requests(1)
    assert not seen.left.is_set()
    answer.close()
    assert seen.left.wait(10)


def test_when_the_client_leaves_during_a_busy_stream_the_provider_sees_it(v1, upstream):
    def chatter(peer, seen):
        delta = {"type": "response.output_text.delta", "delta": "x" * 1000}
        while True:
            peer.send(event(delta))
            time.sleep(0.001)

    upstream.script = [[sse_head(), event(CREATED), chatter]]
    answer = open_stream(v1, "upstream/m")
    next(answer.iter_lines())
    answer.close()
    assert upstream.wait_for_requests(1).left.wait(10)


def test_a_finished_stream_leaves_the_providers_connection_for_the_next_call(v1, upstream):
    done = {"type": "response.completed", "response": {"id": "resp_1", "output": []}}
    upstream.script = [sse_answer([CREATED, done])]
    for _ in range(2):
        post(v1, {"model": "upstream/m", "input": "x", "stream": True})
    assert upstream.seen[0].connection == upstream.seen[1].connection


def test_two_streams_do_not_wait_for_each_other(v1, upstream):
    upstream.script = [[sse_head(), event(CREATED), HOLD]]
    with open_stream(v1, "upstream/m") as first:
        next(first.iter_lines())
        second = post(v1, {"model": "echo/hello", "input": "quick", "stream": True})
        assert events_of_text(second.content)[-1].name == b"response.completed"


def test_an_event_cut_into_single_bytes_arrives_whole(v1, upstream):
    done = {"type": "response.completed", "response": {"id": "resp_\u2028", "output": []}}
    text = f"event: response.completed\r\ndata: {json.dumps(done)}\r\n\r\n".encode()
    upstream.script = [[sse_head(), *(chunk(bytes([byte])) for byte in text), chunk(b"")]]
    answer = post(v1, {"model": "upstream/m", "input": "x", "stream": True})
    (only,) = events_of_text(answer.content)
    assert only.name == b"response.completed"
