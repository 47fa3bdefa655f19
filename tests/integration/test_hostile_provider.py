"""A provider that is broken on purpose: what it sends ends where it can do harm."""

import gzip
import json

import pytest

from tests.support.calling import check_error_shape, poll_to_the_end, post, submit
from tests.support.upstream import answer, chunk, head, json_answer, sse_head

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "created_at": 1,
    "model": "m",
    "output": [],
}
BODY = {"model": "upstream/m", "input": "hi"}
RAW = json.dumps(RESPONSE).encode()


def with_member(member: bytes) -> bytes:
    return answer(RAW[:-1] + b"," + member + b"}", headers={"content-type": "application/json"})


def arrays(depth: int) -> bytes:
    return b'"x":' + b"[" * depth + b"]" * depth


def terminal(member: bytes) -> bytes:
    data = b'{"type":"response.completed","response":' + RAW[:-1] + b"," + member + b"}}"
    return chunk(b"event: response.completed\ndata: " + data + b"\n\n")


NO_ANSWERS = {
    "a control character in a header": json_answer(RESPONSE, headers={"x-request-id": "a\x01b"}),
    "a null in a header": json_answer(RESPONSE, headers={"x-request-id": "a\x00b"}),
    "a line end in a header": json_answer(RESPONSE, headers={"x-request-id": "a\rset-cookie: b"}),
    "a folded header": json_answer(RESPONSE, headers={"x-request-id": "a\r\n set-cookie: b"}),
    "a head without end": json_answer(RESPONSE, headers={"x-a": "a" * 200_000}),
    "early answers without end": [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20_000],
    "two lengths": head({"content-length": "5"}).replace(
        b"\r\n\r\n", b"\r\ncontent-length: 6\r\n\r\n"
    )
    + b"12345",
    "nested beyond what can be written": with_member(arrays(300)),
    "nested beyond what Python can follow": with_member(arrays(1000)),
    "nested beyond what can be read": with_member(arrays(100_000)),
    "half a character": with_member(b'"x":"\\ud800"'),
    "no number": with_member(b'"x":NaN'),
    "a redirect": answer(status=302, headers={"location": "http://evil.example/"}),
    "a redirect to nowhere": answer(status=302, headers={"location": "http://[evil"}),
    "not the coding asked for": answer(RAW, headers={"content-encoding": "br"}),
    "a bomb": answer(gzip.compress(b" " * 70_000_000), headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("script", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_the_providers_fault_inline_and_in_a_job(v1, upstream, script):
    upstream.script = [script]
    answered = post(v1, BODY)
    assert answered.status_code == 502
    check_error_shape(answered.json())
    upstream.close_idle()
    ended = poll_to_the_end(v1, submit(v1, "upstream/m"))
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "provider_error"


def test_a_status_beyond_http_is_a_bad_gateway(v1, upstream):
    upstream.script = [answer(b"{}", status=999)]
    assert post(v1, BODY).status_code == 502


ANSWERS = {
    "letters beyond ASCII in a header": json_answer(RESPONSE, headers={"x-request-id": "caf\xe9"}),
    "a header that nobody reads to its end": json_answer(
        RESPONSE, headers={"x-request-id": "a" * 30_000}
    ),
    "more headers than anybody reads": json_answer(
        RESPONSE, headers={f"x-ratelimit-{i}": "a" for i in range(1000)}
    ),
    "headers that are not for callers": json_answer(
        RESPONSE,
        headers={"set-cookie": "a=b", "location": "//evil", "access-control-allow-origin": "*"},
    ),
    "a time beyond all time": with_member(b'"completed_at":1e300'),
    "the same key again": with_member(b'"extra_fields":{"provider":"evil"}'),
    "trailers": [
        head({"transfer-encoding": "chunked", "trailer": "x-request-id"}),
        chunk(RAW),
        b"0\r\nx-request-id: evil\r\nset-cookie: a=b\r\n\r\n",
    ],
}


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_what_is_odd_about_an_answer_does_not_reach_the_caller(v1, upstream, script):
    upstream.script = [script]
    answered = post(v1, BODY)
    assert answered.status_code == 200
    assert answered.json()["extra_fields"]["provider"] == "upstream"
    assert not {"set-cookie", "location", "access-control-allow-origin"} & set(answered.headers)
    assert len(answered.headers) < 60
    assert all(len(value) <= 1024 and value.isascii() for value in answered.headers.values())
    assert "evil" not in answered.headers.values()


@pytest.mark.parametrize(("depth", "member"), [(300, b"["), (300, b'{"error":'), (900, b'{"a":')])
def test_an_error_that_is_nested_too_deeply_is_still_told(v1, upstream, depth, member):
    closing = b"]" if member == b"[" else b"}"
    body = b'{"error":' + member * depth + b"1" + closing * depth + b"}"
    upstream.script = [answer(body, status=400)]
    answered = post(v1, BODY)
    assert answered.status_code == 400
    check_error_shape(answered.json())


STREAMS = {
    "a last event that is nested too deeply": [terminal(arrays(300))],
    "a last event nested beyond reading": [terminal(arrays(2000))],
    "an error that is nested too deeply": [
        chunk(b'event: error\ndata: {"type":"error","x":' + b"[" * 400 + b"]" * 400 + b"}\n\n")
    ],
    "an event that is no JSON": [chunk(b"event: response.created\ndata: {\n\n"), chunk(b"")],
}


@pytest.mark.parametrize("pieces", STREAMS.values(), ids=STREAMS)
def test_a_stream_that_goes_wrong_ends_with_an_error_event(v1, upstream, pieces):
    upstream.script = [[sse_head(), *pieces]]
    answered = post(v1, {**BODY, "stream": True})
    assert answered.status_code in (200, 502)
    if answered.status_code == 200:
        last = answered.text.rstrip().rpartition("\n\n")[2]
        assert last.startswith("event: error\n"), answered.text
        assert '"code":"provider_error"' in last


def test_an_event_of_a_streamed_job_that_is_nested_too_deeply_is_the_providers_fault(v1, upstream):
    delta = b'{"type":"response.output_text.delta","delta":"a",' + arrays(400) + b"}"
    event = chunk(b"event: response.output_text.delta\ndata: " + delta + b"\n\n")
    upstream.script = [[sse_head(), event, terminal(b'"x":1'), chunk(b"")]]
    streamed = post(v1, {**BODY, "background": True, "stream": True})
    last = json.loads(streamed.text.rstrip().rpartition("data: ")[2])
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] == "provider_error"


def test_an_event_that_is_only_passed_on_may_be_nested_as_it_likes(v1, upstream):
    delta = b'{"type":"response.output_text.delta","delta":"a",' + arrays(400) + b"}"
    event = chunk(b"event: response.output_text.delta\ndata: " + delta + b"\n\n")
    upstream.script = [[sse_head(), event, terminal(b'"x":1'), chunk(b"")]]
    answered = post(v1, {**BODY, "stream": True})
    assert answered.status_code == 200
    assert "event: response.completed" in answered.text
    assert "event: error" not in answered.text


def test_nothing_of_all_this_was_a_surprise(muninn):
    for process in (*muninn.fronts, *muninn.workers):
        assert "RecursionError" not in process.log_text()
        assert "Recursion limit" not in process.log_text()
        assert "panicked" not in process.log_text()
