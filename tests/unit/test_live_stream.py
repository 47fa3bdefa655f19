"""Which events of a live stream a reader gets together."""

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

    def expect_events(self):
        """They are at hand."""

    def read_some(self, wait_seconds=None):
        return self._chunks.pop(0)

    def finish(self, wait_seconds):
        """Nothing is left."""

    def close(self):
        """Nothing is held."""


def stream_of(*chunks):
    mask = mask_of(ProviderRow(base_url="http://x.invalid"))
    return LiveStream(Chunks(*chunks), {}, mask, max_event_bytes=1000, silence_seconds=None)


def names_of(batch):
    return [event.name.decode().removeprefix("response.") for event in batch]


def test_events_that_came_together_are_given_together():
    batches = map(names_of, stream_of(GOOD + GOOD, END))
    assert list(batches) == [["created", "created"], ["completed"]]


def test_what_means_nothing_is_not_given():
    batches = map(names_of, stream_of(GOOD + b"data: [DONE]\n\n: comment\n\n", b": c\n\n", END))
    assert list(batches) == [["created"], ["completed"]]


def test_nothing_is_given_after_the_terminal_event():
    assert [names_of(batch) for batch in stream_of(GOOD + END + GOOD)] == [["created", "completed"]]


def test_events_before_one_that_is_none_are_passed_on_first():
    batches = iter(stream_of(GOOD + b"event: x\ndata: nonsense\n\n"))
    assert names_of(next(batches)) == ["created"]
    with pytest.raises(ProviderInvalidAnswer):
        next(batches)


def test_a_fault_after_the_terminal_event_is_nobodys():
    assert [names_of(batch) for batch in stream_of(END + b"event: x\ndata: no\n\n")] == [
        ["completed"]
    ]
