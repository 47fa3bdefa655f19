"""Turns that follow one another, what passes through to the provider, and what was asked."""

import pytest
import requests

from tests.support.calling import check_error, poll_to_the_end, post, submit
from tests.support.upstream import HOLD, json_answer
from tests.support.vendor import RESPONSE

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ASYNC = {"x_bf_async": "true"}


def answers(count):
    return [json_answer({**RESPONSE, "id": f"resp_turn_{n}"}) for n in range(count)]


def previous_ids(upstream):
    return [seen.json.get("previous_response_id") for seen in upstream.seen]


def test_a_chain_of_jobs_is_one_conversation_at_the_provider(v1, upstream):
    upstream.script = answers(4)
    first = submit(v1, "upstream/m")
    poll_to_the_end(v1, first)
    second = submit(v1, "upstream/m", previous_response_id=first)
    poll_to_the_end(v1, second)
    third = post(v1, {"model": "upstream/m", "input": "x", "previous_response_id": second}).json()
    body = {"model": "upstream/m", "input": "x", "background": True}
    fourth = post(v1, {**body, "previous_response_id": third["id"]}).json()
    poll_to_the_end(v1, fourth["id"])
    assert previous_ids(upstream) == [None, "resp_turn_0", "resp_turn_1", "resp_turn_2"]


def test_a_streamed_turn_follows_a_job_too(v1, client, upstream):
    upstream.script = answers(2)
    first = submit(v1, "upstream/m")
    poll_to_the_end(v1, first)
    asked = {"model": "upstream/m", "input": "x", "background": True, "stream": True}
    list(client.responses.create(**asked, previous_response_id=first))
    assert previous_ids(upstream) == [None, "resp_turn_0"]


@pytest.mark.parametrize("headers", [{}, ASYNC])
@pytest.mark.parametrize("previous", ["unknown", "running", "failed", "cancelled"])
def test_a_job_without_an_answer_cannot_be_followed(v1, client, upstream, headers, previous):
    upstream.script = [HOLD]
    if previous == "unknown":
        job_id = UNKNOWN
    elif previous == "failed":
        job_id = submit(v1, "echo/error-400")
        poll_to_the_end(v1, job_id)
    else:
        job_id = submit(v1, "upstream/m")
        upstream.wait_for_requests(1)
    if previous == "cancelled":
        client.responses.cancel(job_id)
    body = {"model": "echo/hello", "input": "x", "previous_response_id": job_id}
    check_error(
        post(v1, body, **headers),
        400,
        "invalid_request_error",
        "previous_response_not_found",
        "previous_response_id",
    )
    if previous == "running":
        client.responses.cancel(job_id)


PASSED = {
    "conversation": {"id": "conv_1"},
    "prompt": {"id": "pmpt_1", "version": "2", "variables": {"a": "b"}},
    "store": True,
    "include": ["reasoning.encrypted_content"],
    "previous_response_id": "resp_of_the_provider",
    "a_field_of_tomorrow": {"deep": [1, 2]},
}


@pytest.mark.parametrize("way", ["inline", "async", "background"])
def test_fields_of_the_provider_pass_through_untouched(v1, upstream, way):
    upstream.script = answers(1)
    body = {"model": "upstream/m", "input": "x", **PASSED}
    if way == "background":
        body["background"] = True
    answer = post(v1, body, **(ASYNC if way == "async" else {}))
    if way != "inline":
        poll_to_the_end(v1, answer.json()["id"])
    (seen,) = upstream.seen
    assert {name: seen.json[name] for name in PASSED} == PASSED
    assert "background" not in seen.json
    assert seen.json["model"] == "m"


def test_a_conversation_may_be_a_bare_id(v1, upstream):
    upstream.script = answers(1)
    post(v1, {"model": "upstream/m", "input": "x", "conversation": "conv_1"})
    assert upstream.seen[0].json["conversation"] == "conv_1"


@pytest.mark.parametrize("stream", [False, True])
def test_background_without_store_is_refused(v1, stream):
    body = {"model": "echo/hello", "input": "x", "background": True, "store": False}
    answer = post(v1, {**body, "stream": stream})
    check_error(answer, 400, "invalid_request_error", "invalid_value", "store")


@pytest.mark.parametrize("stream", [False, True])
def test_an_inline_call_without_store_leaves_nothing_behind(v1, job_store, upstream, stream):
    upstream.script = [json_answer({**RESPONSE, "id": "resp_not_stored"})]
    before = set(job_store.client.keys())
    body = {"model": "upstream/m", "input": "secret", "store": False, "stream": stream}
    assert post(v1, body).status_code == 200
    assert upstream.seen[0].json["store"] is False
    assert set(job_store.client.keys()) <= before
    retrieved = requests.get(f"{v1}/responses/resp_not_stored", timeout=10)
    check_error(retrieved, 404, "invalid_request_error", "job_not_found")


def test_the_input_of_a_job_is_listed(client, v1):
    job_id = submit(v1, input="What was asked?")
    (item,) = client.responses.input_items.list(job_id)
    assert (item.type, item.role) == ("message", "user")
    assert (item.content[0].type, item.content[0].text) == ("input_text", "What was asked?")
    assert item.id.startswith("msg_")
    response_id = poll_to_the_end(v1, job_id)["id"]
    assert client.responses.input_items.list(response_id).data[0].id == item.id


def test_a_list_of_inputs_is_paged_in_both_orders(client, v1):
    turns = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": f"turn {n}"} for n in range(25)
    ]
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "sunny"}
    job_id = submit(v1, input=[*turns, call, result])
    listing = client.responses.input_items
    forth = list(listing.list(job_id, order="asc", limit=4))
    back = list(listing.list(job_id, limit=10))
    assert [item.id for item in forth] == [item.id for item in reversed(back)]
    assert len({item.id for item in forth}) == 27
    assert [item.content[0].text for item in forth[:25]] == [f"turn {n}" for n in range(25)]
    assert [item.content[0].type for item in forth[:2]] == ["input_text", "output_text"]
    assert [item.type for item in forth[25:]] == ["function_call", "function_call_output"]
    page = listing.list(job_id, limit=2)
    assert (page.has_more, len(page.data)) == (True, 2)
    after = listing.list(job_id, limit=100, after=page.data[-1].id)
    assert [item.id for item in after.data] == [item.id for item in back[2:]]
    assert after.has_more is False


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("order=up", "order"), ("after=nothing", "after")],
)
def test_a_page_of_the_input_that_there_is_not_is_refused(v1, query, param):
    job_id = submit(v1)
    answer = requests.get(f"{v1}/responses/{job_id}/input_items?{query}", timeout=10)
    check_error(answer, 400, "invalid_request_error", "invalid_value", param)


def test_the_input_of_an_unknown_job_is_not_found(v1):
    answer = requests.get(f"{v1}/responses/{UNKNOWN}/input_items", timeout=10)
    check_error(answer, 404, "invalid_request_error", "job_not_found")
