"""What servers really do, seen through the gateway: real sockets on both sides."""

import json

import pytest

from tests.integration.conftest import PLANTED_KEY
from tests.support.calling import (
    check_error,
    events_of_text,
    poll,
    poll_to_the_end,
    post,
    submit,
)
from tests.support.strict import check_response, check_stream
from tests.support.upstream import (
    CUT,
    HOLD,
    RESET,
    answer,
    chunk,
    event,
    gzip_answer,
    head,
    html_answer,
    json_answer,
    sse_answer,
    sse_head,
)

PART = {"type": "output_text", "text": "Hi you", "annotations": [], "logprobs": []}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [PART],
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "completed_at": 1_700_000_001,
    "status": "completed",
    "model": "m-2026",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
    "error": None,
}
TINY = {"id": "resp_1", "output": []}


def events():
    """The events of a small stream, as the better servers send them."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    announced = {**MESSAGE, "status": "in_progress", "content": []}
    empty = {**PART, "text": ""}
    kinds = [
        ("created", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": announced}),
        ("content_part.added", {**place, "part": empty}),
        ("output_text.delta", {**place, "delta": "Hi", "logprobs": []}),
        ("output_text.delta", {**place, "delta": " you", "logprobs": []}),
        ("output_text.done", {**place, "text": "Hi you", "logprobs": []}),
        ("content_part.done", {**place, "part": PART}),
        ("output_item.done", {"output_index": 0, "item": MESSAGE}),
        ("completed", {"response": RESPONSE}),
    ]
    return [
        {"type": f"response.{kind}", "sequence_number": number, **fields}
        for number, (kind, fields) in enumerate(kinds)
    ]


def without(value, *names):
    return {name: each for name, each in value.items() if name not in names}


def ask(base_url, model="upstream/m", **fields):
    return post(base_url, {"model": model, "input": "x", **fields})


def streamed(base_url, model="upstream/m"):
    reply = ask(base_url, model, stream=True)
    assert reply.status_code == 200, reply.text
    return events_of_text(reply.content)


def text_of(values):
    return "".join(e["delta"] for e in values if e["type"] == "response.output_text.delta")


# What is sent


def test_a_call_that_is_not_streamed_says_so(v1, upstream):
    upstream.script = [json_answer(TINY)]
    ask(v1)
    ask(v1, stream=False)
    poll_to_the_end(v1, submit(v1, "upstream/m"))
    assert [seen.json["stream"] for seen in upstream.seen] == [False, False, False]


def test_a_streamed_call_says_so(v1, upstream):
    upstream.script = [sse_answer(events())]
    streamed(v1)
    assert upstream.seen[0].json["stream"] is True


@pytest.mark.parametrize("as_job", [False, True], ids=["inline", "job"])
def test_neither_our_headers_nor_the_callers_credentials_reach_the_provider(v1, upstream, as_job):
    upstream.script = [json_answer(TINY)]
    headers = {
        "authorization": "Bearer callers-secret",
        "x_api_key": "callers-secret",
        "api_key": "callers-secret",
        "cookie": "callers-secret",
        "x_bf_vk": "callers-secret",
        "x_bf_send_back_raw_request": "true",
        "x_bf_made_up": "callers-secret",
        "openai_organization": "callers-secret",
        "x_bf_async": "true" if as_job else "false",
    }
    reply = post(v1, {"model": "upstream/m", "input": "x"}, **headers)
    if as_job:
        poll_to_the_end(v1, reply.json()["id"])
    seen = upstream.wait_for_requests(1)
    assert "callers-secret" not in seen.head.decode()
    assert not [name for name in seen.headers if name.startswith("x-bf")]
    assert seen.headers["authorization"] == f"Bearer {PLANTED_KEY}"
    assert seen.headers["x-own"] == "ours"
    assert (seen.method, seen.target) == ("POST", "/v1/responses")


def test_fields_and_item_types_that_nobody_knows_pass_untouched(v1, upstream):
    upstream.script = [json_answer(TINY)]
    body = {
        "model": "upstream/m",
        "input": [{"type": "telepathy", "thought": {"deep": [1, 2.5, None]}}],
        "tools": [{"type": "time_machine", "year": 1889}],
        "shiny_new": {"a": ["\u2028", 12345678901234567]},
        "temperature": 0.1,
    }
    post(v1, body)
    poll_to_the_end(v1, post(v1, body, x_bf_async="true").json()["id"])
    assert [seen.json for seen in upstream.seen] == [{**body, "model": "m", "stream": False}] * 2


def test_what_only_speaks_to_the_gateway_does_not_pass(v1, upstream):
    upstream.script = [json_answer(TINY)]
    reply = ask(v1, background=True, store=True)
    poll_to_the_end(v1, reply.json()["id"])
    assert "background" not in upstream.seen[0].json


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("upstream/m", "m"),
        ("upstream/nice", "vendor/nice-2026"),
        ("upstream/meta/llama-4", "meta/llama-4"),
    ],
)
def test_the_provider_is_called_with_its_own_model_name(v1, upstream, asked, sent):
    upstream.script = [json_answer(TINY)]
    fields = ask(v1, asked).json()["extra_fields"]
    assert upstream.seen[0].json["model"] == sent
    assert (fields["model_requested"], fields["model_deployment"]) == (asked, sent)


# What comes back


def test_the_providers_answer_is_kept_as_it_is(v1, upstream):
    odd = {**RESPONSE, "shiny_new": {"deep": [1, {"a": None}]}, "model": "m-2026"}
    upstream.script = [json_answer(odd)]
    body = ask(v1).json()
    assert without(body, "output_text", "extra_fields") == odd
    assert body["output_text"] == "Hi you"


def test_headers_that_clients_use_pass_on_and_others_do_not(v1, upstream):
    headers = {
        "x-request-id": "req_7",
        "x-ratelimit-remaining-requests": "41",
        "X-RateLimit-Reset-Tokens": "6ms",
        "set-cookie": "no=1",
        "x-internal": "no",
        "server": "secret-server",
    }
    upstream.script = [
        json_answer(TINY, headers=headers),
        sse_answer(events()) and [sse_head(headers), event(events()[-1]), chunk(b"")],
        json_answer({"error": {"message": "slow down"}}, status=429, headers=headers),
    ]
    for reply in (ask(v1), ask(v1, stream=True), ask(v1)):
        assert reply.headers["x-request-id"] == "req_7"
        assert reply.headers["x-ratelimit-remaining-requests"] == "41"
        assert reply.headers["x-ratelimit-reset-tokens"] == "6ms"
        assert {"set-cookie", "x-internal"}.isdisjoint({name.lower() for name in reply.headers})
        assert reply.headers.get("server") != "secret-server"


@pytest.mark.parametrize(("header", "value"), [("retry-after", "7"), ("retry-after-ms", "6500")])
def test_a_retry_after_passes_on(v1, upstream, header, value):
    upstream.script = [json_answer({"error": {"message": "x"}}, status=429, headers={header: value})]
    reply = ask(v1)
    assert reply.headers["retry-after"] == "7"
    assert reply.headers[header] == value


def test_a_float_for_a_time_becomes_a_whole_number(v1, upstream):
    upstream.script = [json_answer({**RESPONSE, "created_at": 1_700_000_000.75})]
    body = ask(v1).json()
    assert body["created_at"] == 1_700_000_000
    assert isinstance(body["created_at"], int)


def test_an_answer_without_status_object_or_output_ends_a_job_all_the_same(v1, upstream):
    upstream.script = [json_answer({"id": "resp_bare", "output": None})]
    body = poll_to_the_end(v1, submit(v1, "upstream/m"))
    assert (body["status"], body["object"], body["output"]) == ("completed", "response", [])


def test_a_compressed_answer_is_read(v1, upstream):
    upstream.script = [gzip_answer(RESPONSE)]
    assert ask(v1).json()["output_text"] == "Hi you"


def test_a_stream_for_a_plain_call_is_gathered(v1, upstream):
    upstream.script = [sse_answer(events())]
    body = ask(v1).json()
    assert body["status"] == "completed"
    assert body["output_text"] == "Hi you"


def test_a_json_answer_to_a_streamed_call_becomes_a_stream(v1, upstream):
    upstream.script = [json_answer({**RESPONSE, **full_parameters()})]
    values = check_stream(streamed(v1))
    assert text_of(values) == "Hi you"
    assert values[-1]["response"]["id"] == "resp_1"


def full_parameters():
    """What strict types want of a response beside the fields of RESPONSE."""
    return {
        "background": False,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }


# Streams that leave things out


def test_a_done_line_is_swallowed(v1, upstream):
    body = b"".join(event(value) for value in events())
    upstream.script = [[sse_head(), body, chunk(b"data: [DONE]\n\n"), chunk(b"")]]
    reply = ask(v1, stream=True)
    assert b"[DONE]" not in reply.content
    assert events_of_text(reply.content)[-1].name == b"response.completed"


def test_missing_event_lines_are_filled_in(v1, upstream):
    upstream.script = [sse_answer(events(), named=False)]
    assert [each.name.decode() for each in streamed(v1)] == [value["type"] for value in events()]


@pytest.mark.parametrize(
    "missing",
    [["sequence_number"], ["output_index"], ["item_id"], ["content_index"],
     ["sequence_number", "output_index", "item_id", "content_index"]],
)  # fmt: skip
def test_what_events_leave_out_is_filled_in(v1, upstream, missing):
    upstream.script = [sse_answer(without(value, *missing) for value in events())]
    got = [json.loads(each.data) for each in streamed(v1)]
    assert [without(value, "extra_fields") for value in got] == events()
    assert [value["extra_fields"]["chunk_index"] for value in got] == list(range(len(got)))


def test_two_items_without_places_are_told_apart(v1, upstream):
    def added(number):
        return {"type": "response.output_item.added", "item": {**MESSAGE, "id": f"msg_{number}"}}

    delta = {"type": "response.output_text.delta", "delta": "x"}
    last = {"type": "response.completed", "response": RESPONSE}
    upstream.script = [sse_answer([added(1), delta, added(2), delta, last])]
    got = [json.loads(each.data) for each in streamed(v1)]
    assert [value.get("output_index") for value in got] == [0, 0, 1, 1, None]
    assert [got[1]["item_id"], got[3]["item_id"]] == ["msg_1", "msg_2"]


def test_an_error_event_of_the_provider_is_the_last_event(v1, upstream):
    error = {"type": "error", "error": {"message": "overloaded", "code": "server_error"}}
    upstream.script = [sse_answer([events()[0], error, *events()[1:]])]
    got = streamed(v1)
    assert [each.name for each in got] == [b"response.created", b"error"]
    value = json.loads(got[-1].data)
    assert (value["message"], value["code"]) == ("overloaded", "server_error")
    assert value["sequence_number"] == 1


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
def test_a_provider_that_hangs_is_a_504_and_its_connection_is_closed(
    v1, upstream, before, stream
):
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


def test_the_providers_key_is_never_in_an_answer_a_record_or_a_log(
    muninn, v1, upstream, job_store
):
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
