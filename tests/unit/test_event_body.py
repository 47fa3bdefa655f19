"""How the events of a stream are written to the client."""

from api.streaming import MOST_TOGETHER, EventBody
from common.sse import COMMENT, SseEvent, encode_event

EVENT = SseEvent(b"response.output_text.delta", b"{}")
FRAME = encode_event(*EVENT)


class Source:
    """Events, each with whether the next is at hand already."""

    def __init__(self, *pieces):
        self.headers = {}
        self.has_more_at_hand = False
        self._pieces = pieces

    def __iter__(self):
        for event, has_more in self._pieces:
            self.has_more_at_hand = has_more
            yield event

    def close(self):
        """Nothing is held."""


def test_an_event_is_written_as_it_comes():
    assert list(EventBody(Source((EVENT, False), (EVENT, False)))) == [FRAME, FRAME]


def test_events_that_came_together_are_written_together():
    pieces = [(EVENT, True), (EVENT, True), (EVENT, False), (EVENT, False)]
    assert list(EventBody(Source(*pieces))) == [FRAME * 3, FRAME]


def test_a_long_burst_is_written_in_parts_and_nothing_is_left_behind():
    written = list(EventBody(Source(*[(EVENT, True)] * (MOST_TOGETHER + 1))))
    assert written == [FRAME * MOST_TOGETHER, FRAME]


def test_a_silence_is_a_comment():
    assert list(EventBody(Source((None, False)))) == [COMMENT]
