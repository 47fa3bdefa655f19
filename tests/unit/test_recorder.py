"""What one streamed attempt publishes."""

import orjson
import pytest

from common.errors import CallAborted, ProviderAnsweredError, ProviderInvalidAnswer
from common.jobs import Claim
from common.providers.base import UpstreamCall
from common.sse import SseEvent
from tests.support.vendor import MESSAGE, RESPONSE, events
from worker import recorder
from worker.leases import LOST
from worker.recorder import Recorder

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"


class FakeWriter:
    def __init__(self, cap=1000):
        self.cap = cap
        self.left = []
        self.refuses = False

    def leave(self, append):
        self.left.append(append)
        return not self.refuses

    @property
    def events(self):
        return [orjson.loads(s.event.data) for append in self.left for s in append.events]

    @property
    def partials(self):
        return [orjson.loads(append.partial) for append in self.left if append.partial]


def claim_of(last_sequence=None, attempt=1):
    return Claim(
        JOB_ID, f"token-{attempt}", attempt, b"", b"{}", 0, 0, 0, 0, 60, shape=b'{"model":"m"}',
        streamed=True, last_sequence=last_sequence,
    )  # fmt: skip


@pytest.fixture
def writer():
    return FakeWriter()


@pytest.fixture
def timeless(monkeypatch):
    """No time passes, so that only counting makes a partial due."""
    monkeypatch.setattr(recorder.time, "monotonic", lambda: 0.0)


def recorded(writer, given, claim=None, call=None):
    made = Recorder(claim or claim_of(), call or UpstreamCall(), writer)
    for event in given:
        made.add(SseEvent(event["type"].encode(), orjson.dumps(event)))
    return made


def test_events_get_the_jobs_numbers_and_id(writer):
    queued = {"type": "response.queued", "sequence_number": 1, "response": RESPONSE}
    begun = {"type": "response.in_progress", "sequence_number": 2, "response": RESPONSE}
    recorded(writer, [events()[0], queued, begun, *events()[1:]])
    told = writer.events
    assert [event["type"] for event in told] == [
        "response.in_progress", *(event["type"] for event in events()[1:-1]),
    ]  # fmt: skip
    assert [event["sequence_number"] for event in told] == list(range(2, 2 + len(told)))
    assert told[0]["response"]["id"] == JOB_ID


def test_the_end_is_kept_for_the_record(writer):
    made = recorded(writer, events())
    assert made.response() == RESPONSE
    assert "response.completed" not in [event["type"] for event in writer.events]


def test_an_end_without_output_gets_what_was_streamed(writer):
    *others, last = events()
    bare = {**last, "response": {**RESPONSE, "output": []}}
    assert recorded(writer, [*others, bare]).response()["output"] == [MESSAGE]


def test_a_stream_without_an_end_has_no_answer(writer):
    with pytest.raises(ProviderInvalidAnswer):
        recorded(writer, events()[:4]).response()


@pytest.mark.parametrize(
    ("code", "is_retryable"),
    [("server_error", True), ("rate_limit_exceeded", True), ("invalid_prompt", False)],
)
def test_an_error_event_is_raised(writer, code, is_retryable):
    with pytest.raises(ProviderAnsweredError, match="told") as caught:
        recorded(writer, [{"type": "error", "code": code, "message": "told"}])
    assert caught.value.retryable is is_retryable


def test_the_providers_id_is_left_once_and_at_once(writer):
    recorded(writer, events())
    assert [append.response_id for append in writer.left if append.response_id] == ["resp_1"]
    assert writer.left[0].response_id == "resp_1"


def test_a_second_attempt_says_that_it_starts_anew_before_anything_else(writer):
    recorded(writer, events()[:3], claim_of(last_sequence=6, attempt=2))
    first = writer.events[0]
    assert first["type"] == "response.queued"
    assert first["sequence_number"] == first["extra_fields"]["chunk_index"] == 7
    assert (first["extra_fields"]["restarted"], first["extra_fields"]["attempt"]) == (True, 2)
    assert writer.partials[0] == {"sequence_number": 7, "output": []}
    assert [event["sequence_number"] for event in writer.events] == [7, 8, 9]


def test_a_second_attempt_after_one_that_told_nothing_is_the_first(writer):
    recorded(writer, events()[:3], claim_of(attempt=2))
    assert "restarted" not in writer.events[0]["extra_fields"]


def test_a_refused_event_ends_the_call(writer):
    call = UpstreamCall()
    writer.refuses = True
    recorded(writer, events()[:2], call=call)
    with pytest.raises(CallAborted) as caught:
        call.check()
    assert caught.value.reason == LOST


def test_the_output_so_far_is_never_further_behind_than_events_are_kept(timeless):
    writer = FakeWriter(cap=3)
    delta = {**events()[3], "delta": "x"}
    recorded(writer, [*events()[:3], *[delta] * 20])
    behind = published = 0
    for append in writer.left:
        published += len(append.events)
        behind = 0 if append.partial else behind + len(append.events)
        assert behind < 3
    assert writer.partials[-1]["output"][0]["content"][0]["text"].count("x") >= 18


def test_a_pause_shows_what_has_come(timeless, writer):
    made = recorded(writer, events()[:5])
    assert len(writer.partials) == 1
    made.pause()
    assert writer.partials[-1]["output"][0]["content"][0]["text"] == "Hi you"
    assert writer.partials[-1]["sequence_number"] == writer.events[-1]["sequence_number"]
    left = len(writer.left)
    made.pause()
    assert len(writer.left) == left, "nothing new, nothing written"


def test_time_alone_makes_the_output_so_far_due(monkeypatch, writer):
    now = [0.0]
    monkeypatch.setattr(recorder.time, "monotonic", lambda: now[0])
    made = recorded(writer, events()[:2])
    assert len(writer.partials) == 1
    now[0] += recorder.PARTIAL_SECONDS
    made.add(SseEvent(b"x", orjson.dumps(events()[2])))
    assert len(writer.partials) == 2
