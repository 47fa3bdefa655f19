"""How the events of a stream are written to the client."""

from api.streaming import EventBody
from common.sse import COMMENT, SseEvent, encode_event

EVENT = SseEvent(b"response.output_text.delta", b"{}")
FRAME = encode_event(*EVENT)


class Source:
    """Events in these batches."""

    def __init__(self, *batches):
        self.headers = {}
        self._batches = batches

    def __iter__(self):
        return iter(self._batches)

    def close(self):
        """Nothing is held."""


def test_an_event_is_written_as_it_comes():
    assert list(EventBody(Source([EVENT], [EVENT]))) == [FRAME, FRAME]


def test_events_that_came_together_are_written_together():
    assert list(EventBody(Source([EVENT] * 3, [EVENT]))) == [FRAME * 3, FRAME]


def test_a_silence_is_a_comment():
    assert list(EventBody(Source([]))) == [COMMENT]
