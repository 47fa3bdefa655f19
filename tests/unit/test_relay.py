"""A relayed stream: what is filled in, and how it ends."""

import time

import orjson
import pytest

from common.answers import Exchange
from common.errors import CallAborted, ProviderInvalidAnswer, ProviderTimeout
from common.relay import RelayedStream
from common.sse import SseEvent
from tests.support.fakes import FakeStream, event, one_by_one

DONE = event("response.completed", response={"id": "resp_1"})


def relayed(*pieces):
    stream = FakeStream(pieces)
    exchange = Exchange("p", "p/m", "m", time.monotonic())
    return stream, list(one_by_one(RelayedStream(stream, exchange)))


def values_of(*pieces):
    return [orjson.loads(each.data) for each in relayed(*pieces)[1]]


def test_every_event_is_numbered_and_says_where_it_comes_from():
    values = values_of(event("response.created", response={}), DONE)
    assert [value["sequence_number"] for value in values] == [0, 1]
    assert [value["extra_fields"]["chunk_index"] for value in values] == [0, 1]
    assert values[0]["extra_fields"] == {
        "request_type": "responses",
        "provider": "p",
        "model_requested": "p/m",
        "model_deployment": "m",
        "chunk_index": 0,
    }


def test_numbers_of_the_provider_are_kept_and_gone_on_from():
    first = event("response.created", response={}, sequence_number=7)
    assert [value["sequence_number"] for value in values_of(first, DONE)] == [7, 8]


def test_the_providers_own_bytes_are_kept():
    first = SseEvent(
        b"response.created",
        b'{ "type": "response.created", "response": {}, "sequence_number": 0, "n": 1.00 }',
    )
    _, (got, _) = relayed(first, DONE)
    assert got.data.startswith(first.data[:-2])


def test_a_type_that_only_the_event_line_has_is_filled_in():
    (value,) = values_of(SseEvent(b"response.completed", b'{"response": {}}'))
    assert value["type"] == "response.completed"


def test_a_name_that_only_the_data_has_is_filled_in():
    _, (got,) = relayed(SseEvent(b"", DONE.data))
    assert got.name == b"response.completed"


def test_extra_fields_of_a_gateway_behind_are_replaced():
    (value,) = values_of(event("response.completed", response={}, extra_fields={"theirs": 1}))
    assert "theirs" not in value["extra_fields"]


def test_events_without_a_place_belong_to_the_item_that_was_added_last():
    added = [event("response.output_item.added", item={"id": name}) for name in ("a", "b")]
    delta = event("response.output_text.delta", delta="x")
    values = values_of(added[0], delta, added[1], delta, DONE)[1:4:2]
    places = [(value["output_index"], value["item_id"], value["content_index"]) for value in values]
    assert places == [(0, "a", 0), (1, "b", 0)]


def test_silences_pass_through():
    assert relayed(None, None, DONE)[1][:2] == [None, None]


@pytest.mark.parametrize("kind", ["response.completed", "response.failed", "response.incomplete",
                                  "error"])  # fmt: skip
def test_nothing_follows_a_terminal_event(kind):
    stream, got = relayed(event(kind, response={}), event("response.created", response={}))
    assert [each.name.decode() for each in got] == [kind]
    assert stream.closed


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ProviderInvalidAnswer("cut"), "provider_error"),
        (ProviderTimeout("silent"), "provider_timeout"),
    ],
)
def test_what_breaks_a_stream_becomes_its_last_event(failure, code):
    stream, got = relayed(event("response.created", response={}), failure)
    assert got[-1].name == b"error"
    value = orjson.loads(got[-1].data)
    assert value.pop("extra_fields")["chunk_index"] == 1
    told = {"code": code, "message": failure.message, "param": None}
    # At the top for those who read OpenAI's schema, and in `error` for its SDKs, which read that.
    assert value.pop("error") == {**told, "type": failure.type}
    assert value == {**told, "type": "error", "sequence_number": 1}
    assert stream.closed


def test_a_bug_of_ours_tells_nothing_of_itself(caplog):
    _, got = relayed(RuntimeError("secret"))
    assert got[-1].name == b"error"
    assert b"secret" not in got[-1].data
    assert orjson.loads(got[-1].data)["code"] == "internal_error"
    assert "relaying a stream failed" in caplog.text


@pytest.mark.parametrize("data", [b"[]", b"{}", b"no", b'"x"'])
def test_data_that_is_no_object_ends_the_stream_with_an_error(data):
    _, got = relayed(SseEvent(b"response.created", data))
    assert [each.name for each in got] == [b"error"]


def test_an_aborted_call_ends_without_a_word():
    stream, got = relayed(event("response.created", response={}), CallAborted("left"))
    assert [each.name for each in got] == [b"response.created"]
    assert stream.closed


def test_leaving_half_way_closes_the_upstream_call():
    stream = FakeStream([event("response.created", response={}), DONE])
    events = one_by_one(RelayedStream(stream, Exchange("p", "p/m", "m", 0.0)))
    next(events)
    events.close()
    assert stream.closed


def test_times_with_fractions_are_whole_in_events_too():
    (value, _) = values_of(event("response.created", response={"created_at": 12.5}), DONE)
    assert value["response"] == {"created_at": 12}


def test_an_event_that_is_about_no_item_is_given_none():
    (value, _) = values_of(event("response.new_kind", x=1), DONE)
    assert "item_id" not in value
    assert "output_index" not in value


def test_an_event_that_could_not_be_written_again_breaks_the_stream_as_no_event():
    deep = b"[" * 300 + b"]" * 300
    first = SseEvent(b"x", b'{"type":"x","extra_fields":1,"deep":%b}' % deep)
    (value,) = values_of(first, DONE)
    assert (value["type"], value["error"]["type"]) == ("error", "provider_error")


def test_items_are_counted_also_when_their_beginnings_lack_nothing():
    data = (
        b'{"type":"response.output_item.added","sequence_number":%d,"output_index":9,"item_id":""}'
    )
    whole = [SseEvent(b"response.output_item.added", data % number) for number in range(3)]
    delta = event("response.output_text.delta", delta="x")
    assert values_of(*whole, delta, DONE)[3]["output_index"] == 2
