"""Providers that fail, in every way that servers do, seen through the gateway."""

import json

import pytest

from tests.integration.conftest import PLANTED_KEY
from tests.support.calling import check_error, poll, poll_to_the_end, post, submit
from tests.support.strict import check_response
from tests.support.upstream import (
    CUT,
    HOLD,
    RESET,
    answer,
    chunk,
    event,
    head,
    html_answer,
    json_answer,
    sse_answer,
    sse_head,
)
from tests.support.vendor import RESPONSE, ask, events, streamed

# Errors in every shape


@pytest.mark.parametrize(
    ("step", "status", "kind", "code", "message"),
    [
        (
            json_answer(
                {"error": {"message": "no", "type": "invalid_request_error", "code": "bad"}},
                status=400,
            ),
            400, "invalid_request_error", "bad", "no",
        ),
        (json_answer({"detail": "Not authenticated"}, status=401),
         401, "provider_error", "provider_error", "Not authenticated"),
        (json_answer({"detail": [{"loc": ["body", "x"], "msg": "wrong"}]}, status=422),
         422, "provider_error", "provider_error", "x: wrong"),
        (json_answer({"error": {"message": "no", "code": 503, "type": "server_error"}}, status=503),
         503, "server_error", "503", "no"),
        (json_answer({"error": "plain"}, status=500),
         500, "provider_error", "provider_error", "plain"),
        (answer(b"upstream request timeout", status=504),
         504, "provider_error", "provider_error", "upstream request timeout"),
        (answer(b"", status=500), 500, "provider_error", "provider_error", "500"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True], ids=["inline", "stream"])
def test_a_providers_error_is_relayed(v1, upstream, step, status, kind, code, message, stream):
    upstream.script = [step]
    reply = ask(v1, stream=stream)
    param = reply.json()["error"]["param"]
    body = check_error(reply, status, kind, code, param)
    assert message in body["error"]["message"]
    assert body["is_bifrost_error"] is False
    assert body["extra_fields"]["provider"] == "upstream"


def test_an_html_error_page_becomes_a_line(v1, upstream):
    page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    upstream.script = [html_answer(page, status=502)]
    body = check_error(ask(v1), 502, "provider_error", "provider_error")
    assert "502 Bad Gateway" in body["error"]["message"]
    assert "<" not in body["error"]["message"]


@pytest.mark.parametrize(
    "step",
    [
        html_answer("<html><title>Welcome</title></html>"),
        json_answer([1]),
        json_answer({"hello": "world"}),
        answer(b""),
        answer(b"OK"),
        head({"location": "http://127.0.0.1:1/"}, status=302) + b"",
        [head({"content-length": "100"}), b'{"id": "resp_1", ', CUT],
        [head({"transfer-encoding": "chunked"}), chunk(b'{"id": '), CUT],
        [head({"content-length": "100"}), b"{", RESET],
        [b"SSH-2.0-OpenSSH_9.9\r\n\r\n", CUT],
    ],
    ids=["html", "list", "object", "empty", "text", "redirect", "cut", "cut-chunk", "reset", "ssh"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["inline", "stream"])
def test_an_answer_that_is_none_is_a_502(v1, upstream, step, stream):
    upstream.script = [[step, CUT] if isinstance(step, bytes) else step]
    body = check_error(ask(v1, stream=stream), 502, "provider_error", "provider_error")
    assert body["is_bifrost_error"] is True
    assert body["extra_fields"]["model_requested"] == "upstream/m"


@pytest.mark.parametrize("end", [CUT, RESET])
@pytest.mark.parametrize("stream", [False, True], ids=["inline", "stream"])
def test_a_connection_dropped_before_the_answer_is_a_502(v1, upstream, end, stream):
    upstream.script = [end]
    check_error(ask(v1, stream=stream), 502, "provider_error", "provider_error")


@pytest.mark.parametrize("end", [CUT, RESET, chunk(b"")], ids=["cut", "reset", "end"])
def test_a_stream_that_breaks_off_ends_with_an_error_event(v1, upstream, end):
    upstream.script = [[sse_head(), *(event(value) for value in events()[:4]), end, CUT]]
    got = streamed(v1)
    assert [each.name for each in got[-2:]] == [b"response.output_text.delta", b"error"]
    value = json.loads(got[-1].data)
    assert value["sequence_number"] == 4
    assert value["extra_fields"]["chunk_index"] == 4
    assert (value["code"], value["param"]) == ("provider_error", None)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"no json", b'{"a": 1}', b'"text"'])
def test_an_event_that_is_none_ends_the_stream_with_an_error_event(v1, upstream, data):
    upstream.script = [[sse_head(), event(events()[0]), chunk(b"data: %b\n\n" % data), HOLD]]
    got = streamed(v1)
    assert [each.name for each in got] == [b"response.created", b"error"]
    assert upstream.seen[0].left.wait(10)


def test_a_provider_that_is_down_is_a_502(v1):
    body = check_error(ask(v1, "down/m"), 502, "provider_error", "provider_error")
    assert "refused" in body["error"]["message"]
    check_error(ask(v1, "down/m", stream=True), 502, "provider_error", "provider_error")


@pytest.mark.parametrize("before", [[], [head({"content-length": "9"})]], ids=["at-once", "head"])
@pytest.mark.parametrize("stream", [False, True], ids=["inline", "stream"])
def test_a_provider_that_hangs_is_a_504_and_its_connection_is_closed(v1, upstream, before, stream):
    upstream.script = [[*before, HOLD]]
    reply = ask(v1, "impatient/m", stream=stream)
    check_error(reply, 504, "provider_timeout", "provider_timeout")
    assert upstream.seen[0].left.wait(10)


def test_a_stream_that_hangs_ends_with_an_error_event(v1, upstream):
    upstream.script = [[sse_head(), event(events()[0]), HOLD]]
    got = streamed(v1, "impatient/m")
    assert [each.name for each in got] == [b"response.created", b"error"]
    assert json.loads(got[-1].data)["code"] == "provider_timeout"
    assert upstream.seen[0].left.wait(10)


# Jobs


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (json_answer({"error": {"message": "no", "code": "bad"}}, status=400), "bad"),
        (json_answer({"error": {"message": "no", "code": 400}}, status=400), "400"),
        (html_answer("<html>hi</html>"), "provider_error"),
        ([head({"content-length": "100"}), b"{", CUT], "provider_error"),
    ],
)
def test_a_jobs_provider_failure_is_shown_in_its_poll(v1, upstream, step, code):
    upstream.script = [step]
    job_id = submit(v1, "upstream/m")
    poll_to_the_end(v1, job_id)
    job = check_response(poll(v1, job_id).content)
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert len(upstream.seen) == 1


def test_a_jobs_failures_that_may_pass_are_repeated(v1, upstream):
    busy = json_answer({"error": {"message": "busy"}}, status=503)
    upstream.script = [CUT, busy, json_answer(RESPONSE)]
    assert poll_to_the_end(v1, submit(v1, "upstream/m"))["output_text"] == "Hi you"
    assert len(upstream.seen) == 3


# Secrets


def test_the_providers_key_is_never_in_an_answer_a_record_or_a_log(muninn, v1, upstream, job_store):
    told = f"Incorrect API key provided: {PLANTED_KEY}"
    error = json_answer({"error": {"message": told, "code": PLANTED_KEY}}, status=401)
    failed = {"type": "error", "message": told, "code": None}
    upstream.script = [
        error, error, answer(told.encode(), status=500), sse_answer([events()[0], failed]), error,
    ]  # fmt: skip
    texts = [
        ask(v1).text,
        post(v1, {"model": "upstream/m", "input": "x"}, x_bf_send_back_raw_request="true").text,
        ask(v1).text,
        ask(v1, stream=True).text,
    ]
    job_id = submit(v1, "upstream/m")
    poll_to_the_end(v1, job_id)
    texts.append(poll(v1, job_id).text)
    texts += [process.log_text() for process in (*muninn.fronts, *muninn.workers)]
    texts.append(str(job_store.client.hgetall(job_store.keys.job(job_id))))
    for text in texts:
        assert PLANTED_KEY not in text
        assert "Traceback" not in text
