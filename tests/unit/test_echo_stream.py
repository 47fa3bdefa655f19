"""How the echo provider's streams are paced, cut, silent and ended."""

import threading

import orjson
import pytest

from common.errors import CallAborted, ProviderInvalidAnswer, ProviderTimeout
from common.providers import echo_stream
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from tests.support.fakes import one_by_one


def open_stream(model, call=None, text="Hello, my world"):
    asked = ProviderRequest(model, {"model": model, "input": text})
    return EchoProvider().stream(asked, call or UpstreamCall())


def types_of(events):
    return [event and event.name.decode().removeprefix("response.") for event in events]


class Clock(UpstreamCall):
    """A call that lives on a clock of its own, which only its sleep moves on."""

    def __init__(self, silence_seconds: float = 15.0) -> None:
        super().__init__(silence_seconds)
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.check()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(echo_stream, "time", clock)
    return clock


def test_a_stream_is_made_of_named_events():
    events = list(one_by_one(open_stream("hello", text="Hi")))
    assert types_of(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert orjson.loads(events[4].data)["delta"] == "Hi"


def test_a_slow_stream_spreads_its_deltas_over_the_time(clock):
    times = [(clock.now, name) for name in types_of_at(open_stream("slow-6s", clock))]
    deltas = [now - 100 for now, name in times if name == "output_text.delta"]
    assert deltas == pytest.approx([2, 4, 6])
    assert times[0] == (100, "created")
    assert times[-1][1] == "completed"


def types_of_at(stream):
    """As types_of, one at a time."""
    for event in one_by_one(stream):
        yield types_of([event])[0]


def test_a_slow_reader_does_not_make_a_slow_stream_slower(clock):
    for name in types_of_at(open_stream("slow-6s", clock)):
        if name == "output_text.delta":
            clock.now += 1
    assert clock.now == pytest.approx(107)


def test_each_full_span_of_silence_in_a_slow_stream_is_a_none(clock):
    clock.silence_seconds = 4.0
    names = list(types_of_at(open_stream("slow-10s", clock, text="one")))
    assert names[3:8] == ["content_part.added", None, None, "output_text.delta", "output_text.done"]
    assert clock.now == pytest.approx(110)


def test_a_hanging_stream_is_silent_until_it_gives_up(clock):
    stream = one_by_one(open_stream("hang", clock))
    assert [next(stream) for _ in range(5)] == [None] * 5
    assert clock.now == 175
    with pytest.raises(ProviderTimeout):
        list(one_by_one(stream))
    assert clock.now == pytest.approx(3700)


@pytest.mark.parametrize(("text", "deltas"), [("one", 1), ("one two three four", 3)])
def test_a_cut_stream_stops_after_some_deltas(text, deltas):
    names = types_of(seen_before_the_cut(open_stream("cut-stream", text=text)))
    assert names.count("output_text.delta") == deltas
    assert names[-1] == "output_text.delta"


def seen_before_the_cut(stream):
    seen, events = [], one_by_one(stream)
    try:
        while True:
            seen.append(next(events))
    except ProviderInvalidAnswer:
        return seen


@pytest.mark.parametrize("model", ["hang", "slow-3600s"])
def test_abort_ends_a_silent_stream_at_once(model):
    call, waiting, reasons = UpstreamCall(silence_seconds=0.01), threading.Event(), []

    def read():
        try:
            for event in one_by_one(open_stream(model, call)):
                if event is None:
                    waiting.set()
        except CallAborted as error:
            reasons.append(error.reason)

    thread = threading.Thread(target=read)
    thread.start()
    assert waiting.wait(10)
    call.abort("the client left")
    thread.join(10)
    assert reasons == ["the client left"]


def test_abort_ends_a_stream_between_two_events():
    call = UpstreamCall()
    stream = one_by_one(open_stream("hello", call))
    next(stream)
    call.abort("cancelled")
    with pytest.raises(CallAborted):
        next(stream)


def test_a_closed_stream_ends_and_may_be_closed_again():
    stream = open_stream("hello")
    events = one_by_one(stream)
    next(events)
    stream.close()
    assert list(events) == []
    stream.close()


def test_a_large_text_streams_in_pieces_of_a_kib():
    events = [
        event for event in one_by_one(open_stream("size-4kb")) if event.name.endswith(b"text.delta")
    ]
    assert [len(orjson.loads(event.data)["delta"]) for event in events] == [1024] * 4
