"""The decoder against a plain reading of the specification, on streams cut anywhere."""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from common.sse import SseDecoder, SseEvent, encode_event

FIELDS = [b"data", b"data:", b"data: ", b"data:  ", b"event: ", b"event", b"id: ", b": ", b""]
VALUES = [b"", b"x", b"{}", b" ", b":", b"data: 1", "\u2028".encode(), b"\xef\xbb\xbf", b"\xff"]
LINE_ENDS = [b"\n", b"\n", b"\r\n", b"\r", b"\n\n", b"\n\n", b"\r\n\r\n"]

lines = st.tuples(*map(st.sampled_from, (FIELDS, VALUES, LINE_ENDS))).map(b"".join)
streams = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb"]),
    st.lists(lines, max_size=12).map(b"".join),
    st.sampled_from([b"", b"data: unfinished", b"\r"]),
).map(b"".join)


def events_as_specified(stream: bytes) -> list[SseEvent]:
    """Line by line, as the specification tells it."""
    events, name, data = [], b"", b""
    *complete, _unfinished = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in complete:
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if not line:
            events += [SseEvent(name, data[:-1])] if data else []
            name, data = b"", b""
        elif field == b"event":
            name = value
        elif field == b"data":
            data += value + b"\n"
    return events


@settings(deadline=None, derandomize=True)
@given(stream=streams, places=st.lists(st.integers(0, 200), max_size=6))
def test_any_stream_cut_anywhere_is_read_as_specified(stream, places):
    cuts = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    decoder = SseDecoder()
    found = []
    for start, end in pairwise(cuts):
        found += decoder.feed(stream[start:end])
    assert found == events_as_specified(stream)


names = st.binary(max_size=8).filter(lambda name: not re.search(rb"[\r\n]", name))


@settings(deadline=None, derandomize=True)
@given(name=names, data=st.binary(max_size=30))
def test_what_is_encoded_is_decoded_again(name, data):
    lines_of_data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert SseDecoder().feed(encode_event(name, data)) == [SseEvent(name, lines_of_data)]
