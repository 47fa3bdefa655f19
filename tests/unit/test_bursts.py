"""Runs of like events: what is taken for one, and that it comes out as one by one."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import completer
from common.answers import Exchange
from common.bursts import Burst, EncodedEvents, Run, encoded, in_parts
from common.completer import EventCompleter
from common.provider_rows import ProviderRow
from common.providers.masking import mask_of
from common.providers.response_stream import LiveStream
from common.sse import SseEvent, encode_event, encode_events, events_of
from tests.unit.test_live_stream import Chunks

DELTA = b"response.output_text.delta"
CREATED = encode_event(b"response.created", b'{"type":"response.created","response":{"id":"r"}}')
DONE = encode_event(b"response.completed", b'{"type":"response.completed","response":{"id":"r"}}')
# As OpenAI writes it, with blanks, with the text first, and without what other servers leave out.
SHAPES = [
    b'{"type":"%b","sequence_number":%b,"item_id":"msg_1","output_index":0,"content_index":0,'
    b'"delta":%b,"logprobs":[],"obfuscation":"x%b"}',
    b'{"type": "%b", "sequence_number": %b, "item_id": "msg_1", "output_index": 0, '
    b'"content_index": 0, "delta": %b, "obfuscation": "%b"}',
    b'{"delta" :1,"type":"%b","sequence_number":%b,"item_id":"m","output_index":0,'
    b'"content_index":0,"x":%b,"obfuscation": "%b"}',
    b'{"type":"%b","n":%b,"delta":%b,"y":"%b"}',
]


def frame(text, number, shape=SHAPES[0], name=DELTA):
    return encode_event(name, shape % (name, b"%d" % number, text, b"%d" % number))


def run_of(count=60, begin=0, **more):
    return [frame(b'"word %d"' % n, n, **more) for n in range(begin, begin + count)]


def new_completer():
    return EventCompleter(Exchange("p", "p/m", "m", 0.0))


def both_ways(wire):
    """What becomes of these frames at once and one by one: bytes, fault, the next number."""
    found = []
    for batch in (Burst(in_parts(wire)), events_of(wire)):
        maker = new_completer()
        events, fault = maker.complete(batch)
        after = maker.error_event(completer.ProviderInvalidAnswer("x")).data
        found.append((encoded(events), list(events), fault and str(fault), after))
    return found


@pytest.mark.parametrize("shape", SHAPES[:1] + SHAPES[1:2])
def test_like_events_are_one_run(shape):
    wire = b"".join([CREATED, *run_of(shape=shape), DONE])
    before, run, after = in_parts(wire)
    assert isinstance(run, Run)
    assert [event.name for event in (*before, run[0], run[-1], *after)] == [
        b"response.created",
        DELTA,
        DELTA,
        b"response.completed",
    ]
    assert [*before, *run, *after] == events_of(wire)


TEXTS = [
    (rb'"\"quoted\" \\ \/ \b\f\n\r\t"', True),
    (rb'"\u00e9\u2028\ud83d\ude00"', True),
    ('"snow ☃ 😀"'.encode(), True),
    (b'""', True),
    (rb'"lone \ud83d"', False),
    (rb'"lone \ude00"', False),
    (rb'"\x41"', False),
    (rb'"\u12"', False),
    (b'"tab\there"', False),
    (b'"open', False),
    (b'"a","delta":"b"', False),
    (b'{"deep":"er"}', False),
    (b"null", False),
    (b"7", False),
]


@pytest.mark.parametrize(("text", "is_alike"), TEXTS)
def test_a_text_is_alike_if_it_is_a_sound_one(text, is_alike):
    frames = run_of()
    frames[20] = frame(text, 20)
    wire = b"".join(frames)
    parts = in_parts(wire)
    runs = [len(part) for part in parts if isinstance(part, Run)]
    assert runs == ([60] if is_alike else [20, 39])
    at_once, one_by_one = both_ways(wire)
    assert at_once == one_by_one


def test_what_is_not_utf_8_is_no_run():
    frames = run_of()
    frames[20] = frame(b'"\xff"', 20)
    wire = b"".join(frames)
    assert not any(isinstance(part, Run) for part in in_parts(wire))
    at_once, one_by_one = both_ways(wire)
    assert at_once == one_by_one


@pytest.mark.parametrize("number", [b"-1", b"1.5", b"1e3", b"01", b"12345678901234567890", b'"3"'])
def test_a_number_is_alike_if_it_is_read_as_an_integer(number):
    frames = run_of()
    frames[30] = frames[30].replace(b'"sequence_number":30', b'"sequence_number":' + number)
    at_once, one_by_one = both_ways(b"".join(frames))
    assert at_once == one_by_one


def test_few_events_and_short_ones_are_taken_apart_at_once():
    assert not any(isinstance(part, Run) for part in in_parts(b"".join(run_of(5)) + DONE * 99))
    short = frame(b'"x"', 1, b'{"type":"%b","sequence_number":%b,"delta":%b,"s":"%b"}')
    assert not any(isinstance(part, Run) for part in in_parts(short * 9))


frames = st.one_of(
    st.builds(
        frame,
        st.text(max_size=4).map(orjson.dumps) | st.sampled_from([text for text, _ in TEXTS]),
        st.integers(0, 3000),
        st.sampled_from(SHAPES),
        st.sampled_from([DELTA, b"response.reasoning_summary_text.delta", b"response.x.delta"]),
    ).map(lambda one: [one]),
    st.builds(
        lambda count, begin, shape: run_of(count, begin, shape=shape),
        st.integers(7, 30),
        st.integers(0, 3000),
        st.sampled_from(SHAPES),
    ),
    st.sampled_from(
        [CREATED, DONE, b": comment\n\n", b"data: {}\n\n", b"event: x\ndata: 5\n\n"]
    ).map(lambda one: [one]),
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.lists(frames, max_size=8))
def test_what_came_at_once_comes_out_as_one_by_one(made):
    wire = b"".join(each for some in made for each in some)
    parts = in_parts(wire)
    assert [event for part in parts for event in part] == events_of(wire)
    named = [event for event in events_of(wire) if event.name]
    at_once, one_by_one = both_ways(encode_events(named))
    assert at_once == one_by_one


def test_numbers_and_chunks_go_on_after_a_run():
    maker = new_completer()
    for begin in (0, 600, 1200):  # past the ends that are made beforehand
        wire = b"".join(run_of(600, begin))
        events, fault = maker.complete(Burst(in_parts(wire)))
        assert fault is None
        values = [orjson.loads(event.data) for event in events]
        assert [each["sequence_number"] for each in values] == list(range(begin, begin + 600))
        chunks = [each["extra_fields"]["chunk_index"] for each in values]
        assert chunks == list(range(begin, begin + 600))
    (event,), _ = maker.complete([SseEvent(b"response.x", b'{"type":"response.x"}')])
    assert orjson.loads(event.data)["sequence_number"] == 1800


def test_of_a_run_the_first_and_the_last_event_alone_are_parsed(monkeypatch):
    parsed = []
    loads = orjson.loads
    monkeypatch.setattr(completer.orjson, "loads", lambda data: parsed.append(data) or loads(data))
    batch = Burst(in_parts(b"".join(run_of(500))))
    parsed.clear()
    events, _ = new_completer().complete(batch)
    assert isinstance(events, EncodedEvents)
    assert len(parsed) == 3  # the first one twice: to be completed, and to be compared


def live(*chunks):
    mask = mask_of(ProviderRow(base_url="http://x.invalid"))
    return LiveStream(Chunks(*chunks), {}, mask, max_event_bytes=9000, silence_seconds=None)


def test_a_live_stream_ends_with_the_terminal_event_after_a_run():
    whole = b"".join([CREATED, *run_of(), DONE, *run_of()])
    (batch,) = live(whole)
    assert len(batch) == 62
    assert batch[-1].name == b"response.completed"


def test_a_live_stream_gives_a_run_before_what_is_no_event():
    batches = iter(live(b"".join([*run_of(), b"event: y\ndata: nonsense\n\n"])))
    assert [event.name for event in next(batches)] == [DELTA] * 60
    with pytest.raises(completer.ProviderInvalidAnswer):
        next(batches)


def test_a_live_stream_gives_nothing_for_what_means_nothing():
    chunk = b"data: [DONE]\n\n" * 200
    (batch,) = live(chunk, b"".join([*run_of(), DONE]))
    assert len(batch) == 61
