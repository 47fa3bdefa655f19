"""What a reader of a live stream is told about the next event."""

import pytest

from common.errors import ProviderInvalidAnswer
from common.provider_rows import ProviderRow
from common.providers.masking import mask_of
from common.providers.response_stream import LiveStream

GOOD = b'event: response.created\ndata: {"type":"response.created"}\n\n'
END = b'event: response.completed\ndata: {"type":"response.completed"}\n\n'


class Chunks:
    """An exchange that brings these bytes, one chunk at a time."""

    def __init__(self, *chunks):
        self._chunks = list(chunks)

    def read_some(self, wait_seconds=None):
        return self._chunks.pop(0)

    def finish(self, wait_seconds):
        """Nothing is left."""

    def close(self):
        """Nothing is held."""


def stream_of(*chunks):
    mask = mask_of(ProviderRow(base_url="http://x.invalid"))
    return LiveStream(Chunks(*chunks), {}, mask, max_event_bytes=1000, silence_seconds=None)


def told(stream):
    return [(event.name, stream.has_more_at_hand) for event in stream]


def test_more_is_at_hand_until_the_last_event_of_a_chunk():
    created = b"response.created"
    expected = [(created, True), (created, False), (b"response.completed", False)]
    assert told(stream_of(GOOD + GOOD, END)) == expected


def test_what_means_nothing_is_not_waited_for():
    names = told(stream_of(GOOD + b"data: [DONE]\n\n: comment\n\n", END))
    assert names[0] == (b"response.created", False)


def test_events_before_one_that_is_none_are_passed_on_first():
    stream = stream_of(GOOD + b"event: x\ndata: nonsense\n\n")
    events = iter(stream)
    assert next(events).name == b"response.created"
    assert not stream.has_more_at_hand
    with pytest.raises(ProviderInvalidAnswer):
        next(events)
