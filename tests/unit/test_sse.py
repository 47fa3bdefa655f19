"""The decoder on the specification's own examples, cut at every byte, and the encoder."""

import pytest

from common.sse import COMMENT, SseDecoder, SseEvent, encode_event, encode_events

# https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
SPECIFICATION = {
    "several data lines are joined": (
        b"data: YHOO\ndata: +2\ndata: 10\n\n",
        [(b"", b"YHOO\n+2\n10")],
    ),
    "comments and ids are no data, and an unfinished event is dropped": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [(b"", b"first event"), (b"", b"second event")],
    ),
    "only one space is taken off": (
        b"data:second event\nid\n\ndata:  third event\n\n",
        [(b"", b"second event"), (b"", b" third event")],
    ),
    "data may be empty": (
        b"data\n\ndata\ndata\n\ndata:",
        [(b"", b""), (b"", b"\n")],
    ),
    "the space after the colon is optional": (
        b"data:test\n\ndata: test\n\n",
        [(b"", b"test"), (b"", b"test")],
    ),
    "events have names": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [(b"add", b"73857293"), (b"remove", b"2153"), (b"add", b"113411")],
    ),
}

FURTHER = {
    "the usual form": (b'event: x\ndata: {"a": 1}\n\n', [(b"x", b'{"a": 1}')]),
    "the name may follow": (b"data: 1\nevent: x\n\n", [(b"x", b"1")]),
    "the last name counts": (b"event: x\nevent: y\ndata: 1\n\n", [(b"y", b"1")]),
    "a name alone is no event": (b"event: x\n\ndata: 1\n\n", [(b"", b"1")]),
    "retry and id are ignored": (b"retry: 10\nid: 7\ndata: 1\n\n", [(b"", b"1")]),
    "unknown fields are ignored": (b"Data: 0\n data: 0\ndata: 1\n\n", [(b"", b"1")]),
    "colons belong to the value": (b"event: a:b\ndata: c: d\n\n", [(b"a:b", b"c: d")]),
    "a name that looks like data": (b"event: data: x\ndata: 1\n\n", [(b"data: x", b"1")]),
    "a comment within an event": (b"event: x\n:data: 0\ndata: 1\n\n", [(b"x", b"1")]),
    "many blank lines": (b"\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n\n", [(b"", b"1"), (b"", b"2")]),
    "CR": (b"event: x\rdata: 1\r\rdata: 2\r\r", [(b"x", b"1"), (b"", b"2")]),
    "CRLF": (b"event: x\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [(b"x", b"1"), (b"", b"2")]),
    "mixed line ends": (
        b"data: 1\n\rdata: 2\r\r\ndata: 3\r\n\n",
        [(b"", b"1"), (b"", b"2"), (b"", b"3")],
    ),
    "LF, then CR": (b"data: 1\ndata: 2\r\n\rdata: 3\n\r", [(b"", b"1\n2"), (b"", b"3")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: 1\n\n", [(b"", b"1")]),
    "only one byte order mark": (
        b"\xef\xbb\xbf\xef\xbb\xbfdata: 0\n\ndata: \xef\xbb\xbf\n\n",
        [(b"", b"\xef\xbb\xbf")],
    ),
    "half a byte order mark is a field": (b"\xef\xbbdata: 0\n\ndata: 1\n\n", [(b"", b"1")]),
    "U+2028, U+2029, U+0085, VT and FF end no line": (
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(),
        [(b"", "a\u2028b\u2029c\u0085d\x0be\x0cf".encode())],
    ),
    "bytes that are no UTF-8 pass": (b"data: \xff\xfe\x00\n\n", [(b"", b"\xff\xfe\x00")]),
    "our own comment": (COMMENT + b"data: 1\n\n" + COMMENT, [(b"", b"1")]),
    "no blank line, no event": (b"event: x\ndata: 1\n", []),
    "nothing": (b"", []),
}

EXAMPLES = SPECIFICATION | FURTHER

with_every_example = pytest.mark.parametrize(
    ("stream", "expected"), EXAMPLES.values(), ids=EXAMPLES.keys()
)


def decoded(*chunks: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


@with_every_example
def test_an_example_is_decoded_as_specified(stream, expected):
    assert decoded(stream) == [SseEvent(*event) for event in expected]


@with_every_example
def test_an_example_cut_in_two_at_any_byte_gives_the_same_events(stream, expected):
    for place in range(len(stream) + 1):
        assert decoded(stream[:place], b"", stream[place:]) == expected


@with_every_example
def test_an_example_cut_in_three_at_any_bytes_gives_the_same_events(stream, expected):
    for first in range(len(stream)):
        for second in range(first + 1, len(stream)):
            chunks = stream[:first], stream[first:second], stream[second:]
            assert decoded(*chunks) == expected


@with_every_example
def test_an_example_fed_byte_by_byte_gives_the_same_events(stream, expected):
    assert decoded(*(bytes([byte]) for byte in stream)) == expected


def test_an_event_is_given_as_soon_as_its_blank_line_begins():
    decoder = SseDecoder()
    assert decoder.feed(b"data: 1\r\n\r") == [SseEvent(b"", b"1")]
    assert decoder.feed(b"\n") == []


def test_an_event_longer_than_the_bound_is_refused_before_its_end():
    decoder = SseDecoder(max_event_bytes=100)
    with pytest.raises(ValueError, match="longer than 100 bytes"):
        list(map(decoder.feed, [b"data: 789\n"] * 20))


@pytest.mark.parametrize("before", [b"", b"data: "], ids=["at once", "in two chunks"])
def test_a_whole_event_longer_than_the_bound_is_refused(before):
    decoder = SseDecoder(max_event_bytes=100)
    decoder.feed(before)
    with pytest.raises(ValueError, match="longer than 100 bytes"):
        decoder.feed(b"data: " + b"x" * 100 + b"\n\n")


def test_the_bound_is_on_one_event_and_not_on_the_stream():
    decoder = SseDecoder(max_event_bytes=100)
    event = b"data: " + b"x" * 90 + b"\n\n"
    assert len(decoder.feed(event * 50)) == 50
    assert len(decoder.feed(b"data: 1\n\n" + event * 50 + b"data: ")) == 51


def test_an_event_is_encoded_with_both_its_lines():
    assert encode_event(b"x", b'{"a":1}') == b'event: x\ndata: {"a":1}\n\n'


def test_an_event_without_a_name_is_encoded_without_its_line():
    assert encode_event(b"", b"1") == b"data: 1\n\n"


@pytest.mark.parametrize("data", [b"a\nb", b"a\r\nb", b"a\rb"])
def test_line_ends_in_data_become_data_lines(data):
    encoded = encode_event(b"x", data)
    assert encoded == b"event: x\ndata: a\ndata: b\n\n"
    assert decoded(encoded) == [SseEvent(b"x", b"a\nb")]


ORDINARY = SseEvent(b"x", b"{}")


@pytest.mark.parametrize(
    "other",
    [
        SseEvent(b"", b"1"),
        SseEvent(b"x", b"a\nb"),
        SseEvent(b"x", b"a\rb"),
        SseEvent(b"x", b"event: "),
    ],
)
def test_many_events_are_encoded_as_each_would_be(other):
    for events in ([other], [ORDINARY, other], [other, ORDINARY], [ORDINARY] * 3):
        assert encode_events(events) == b"".join(encode_event(*event) for event in events)
