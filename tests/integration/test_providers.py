"""What servers really do, seen through the gateway: real sockets on both sides."""

import json

import pytest

from tests.integration.conftest import PLANTED_KEY
from tests.support.calling import events_of_text, poll_to_the_end, post, submit
from tests.support.strict import check_stream
from tests.support.upstream import chunk, event, gzip_answer, json_answer, sse_answer, sse_head
from tests.support.vendor import (
    MESSAGE,
    RESPONSE,
    TINY,
    ask,
    events,
    full_parameters,
    streamed,
    without,
)


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
        [sse_head(headers), event(events()[-1]), chunk(b"")],
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
    upstream.script = [
        json_answer({"error": {"message": "x"}}, status=429, headers={header: value})
    ]
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
