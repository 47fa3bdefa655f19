"""A job as a stream of events, read from fakes."""

from dataclasses import replace

import orjson
import pytest

from common import job_stream
from common.errors import JobNotFound, ServiceUnavailable
from common.job_stream import JobStream
from common.job_stream_events import as_job_event, closing_event, restarted_event
from common.jobs import JobRecord, JobStatus
from common.sse import SseEvent
from common.store.job_events import StoredEvent
from tests.support.fakes import one_by_one
from tests.support.vendor import MESSAGE, RESPONSE, events

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
SHAPE = orjson.dumps({"id": JOB_ID, "status": "queued", "model": "m", "output": []})
RUNNING = JobRecord(
    id=JOB_ID,
    status=JobStatus.IN_PROGRESS,
    owner="",
    shape=SHAPE,
    attempts=1,
    created_at_ms=1,
    streamed=True,
)
DONE = replace(RUNNING, status=JobStatus.COMPLETED, result=orjson.dumps(RESPONSE), last_sequence=8)
END = StoredEvent(0, None)
AWAY = ServiceUnavailable("away")


def stored(*sequences):
    """Events of a provider at these places."""
    kinds = events()[1:-1]
    return [
        encoded(as_job_event(kinds[(sequence - 2) % len(kinds)], JOB_ID, sequence))
        for sequence in sequences
    ]


def encoded(event):
    data = SseEvent(event["type"].encode(), orjson.dumps(event))
    return StoredEvent(event["sequence_number"], data)


class FakeEvents:
    """Answers each read with the next of its pages, and [] after the last."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def read(self, job_id, after, block_seconds):
        self.asked.append((after, block_seconds))
        page = self.pages.pop(0) if self.pages else []
        if isinstance(page, Exception):
            raise page
        return [each for each in page if each is END or each.sequence > after]


class Looks:
    """Finds the job as each of its states in turn, the last for ever."""

    def __init__(self, *states):
        self.states = list(states)

    def __call__(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state


class FakeEndings:
    def wait(self, job_id, look, timeout_seconds):
        return look()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(job_stream, "_pause", lambda state: 0.0)


def read(*pages, record=RUNNING, looks=(DONE,), after=-1, silence_seconds=1000.0):
    stream = JobStream(
        record,
        Looks(*looks),
        FakeEvents(*pages),
        FakeEndings(),
        after=after,
        silence_seconds=silence_seconds,
    )
    return [None if event is None else orjson.loads(event.data) for event in one_by_one(stream)]


def numbers(told):
    return [event["sequence_number"] for event in told]


def test_opening_stored_and_closing_events_follow_one_another():
    told = read(stored(2, 3), stored(4, 5, 6), [*stored(7, 8), END])
    assert numbers(told) == list(range(10))
    assert [event["extra_fields"]["chunk_index"] for event in told] == list(range(10))
    assert [told[place]["type"] for place in (0, 1, -1)] == [
        "response.created", "response.queued", "response.completed",
    ]  # fmt: skip
    assert told[-1]["response"]["output"] == [MESSAGE]
    assert told[-1]["response"]["id"] == JOB_ID


@pytest.mark.parametrize("after", range(-1, 10))
def test_a_reader_gets_what_comes_after_its_place_and_nothing_else(after):
    told = read([*stored(*range(2, 9)), END], after=after)
    assert numbers(told) == list(range(after + 1, 10))


@pytest.mark.parametrize(
    ("changes", "kind", "status"),
    [
        ({"result": orjson.dumps(RESPONSE | {"status": "incomplete"})},
         "response.incomplete", "incomplete"),
        ({"status": JobStatus.FAILED, "result": None, "error": {"code": "c", "message": "m"}},
         "response.failed", "failed"),
        ({"status": JobStatus.CANCELLED, "result": None}, "response.failed", "cancelled"),
    ],
)  # fmt: skip
def test_the_closing_event_tells_how_the_job_ended(changes, kind, status):
    told = read([*stored(2), END], looks=[replace(DONE, last_sequence=2, **changes)])
    assert (told[-1]["type"], told[-1]["response"]["status"]) == (kind, status)
    assert numbers(told) == [0, 1, 2, 3]


def test_a_job_that_never_had_an_event_has_an_end_all_the_same():
    ended = replace(DONE, status=JobStatus.CANCELLED, result=None, last_sequence=None)
    assert numbers(read([END], looks=[ended])) == [0, 1, 2]


def test_the_end_is_found_without_its_mark():
    assert numbers(read(stored(*range(2, 9)), [], [], looks=[DONE])) == list(range(10))


def test_events_that_come_between_a_look_and_the_end_are_not_missed():
    told = read([], [*stored(*range(2, 9)), END], looks=[DONE])
    assert numbers(told) == list(range(10))


def test_silence_is_told():
    told = read([], [], [*stored(2), END], looks=[RUNNING, RUNNING, DONE], silence_seconds=1e-9)
    assert told.count(None) == 2


def test_reading_blocks_for_as_long_as_may_be_silent():
    fake = FakeEvents([END])
    for silence_seconds in (0.5, 60.0):
        fake.pages = [[END]]
        list(JobStream(RUNNING, Looks(DONE), fake, FakeEndings(), after=-1,
                       silence_seconds=silence_seconds))  # fmt: skip
    assert fake.asked == [(1, 0.5), (1, job_stream.BLOCK_SECONDS)]


def test_a_store_that_is_away_for_a_while_is_waited_for_everywhere():
    told = read(
        AWAY, stored(2), AWAY, [], [*stored(*range(3, 9)), END],
        looks=[AWAY, RUNNING, RUNNING, AWAY, AWAY, DONE],
    )  # fmt: skip
    assert numbers(told) == list(range(10))


def test_patience_has_an_end(monkeypatch):
    monkeypatch.setattr(job_stream, "PATIENCE_SECONDS", -1.0)
    told = read(AWAY)
    assert numbers(told) == [0, 1, 2]
    assert (told[-1]["type"], told[-1]["code"]) == ("error", "service_unavailable")
    assert told[-1]["error"]["message"] == told[-1]["message"]


def test_a_job_that_is_gone_ends_its_stream_with_an_error():
    told = read(stored(2), [], looks=[JobNotFound()])
    assert (told[-1]["type"], told[-1]["code"]) == ("error", "job_not_found")
    assert "deleted" in told[-1]["message"]


def test_a_fault_of_ours_is_told_and_not_raised():
    told = read(RuntimeError("secret"))
    assert (told[-1]["type"], told[-1]["code"]) == ("error", "internal_error")
    assert "secret" not in str(told)


def partial(sequence):
    return orjson.dumps({"sequence_number": sequence, "output": [MESSAGE]})


def test_a_reader_from_further_back_than_is_kept_gets_a_snapshot():
    running = replace(RUNNING, partial=partial(6))
    told = read(stored(5, 6, 7), [*stored(8), END], looks=[running, DONE])
    assert numbers(told) == [0, 1, 6, 7, 8, 9]
    assert told[2]["type"] == "response.in_progress"
    assert told[2]["extra_fields"]["snapshot"] is True
    assert told[2]["response"]["output"] == [MESSAGE]
    assert (told[2]["response"]["id"], told[2]["response"]["status"]) == (JOB_ID, "in_progress")


@pytest.mark.parametrize("known", [None, partial(3)])
def test_a_gap_is_told_even_when_less_is_known_than_is_missing(known):
    running = replace(RUNNING, partial=known)
    told = read(stored(6, 7), [*stored(8), END], looks=[running, DONE])
    assert numbers(told) == [0, 1, 5, 6, 7, 8, 9]
    assert told[2]["extra_fields"]["snapshot"] is True


def test_a_gap_in_the_middle_is_told_too():
    told = read([*stored(2, 3, 6), *stored(7)], [END], looks=[RUNNING, DONE])
    assert numbers(told) == [0, 1, 2, 3, 5, 6, 7, 9]


def test_a_slow_reader_is_told_that_it_fell_behind():
    running = replace(RUNNING, partial=partial(7))
    told = read(stored(2, 3), stored(7, 8), [END], looks=[running, DONE])
    assert numbers(told) == [0, 1, 2, 3, 7, 8, 9]
    assert told[4]["extra_fields"]["snapshot"] is True


def test_of_a_long_job_that_has_ended_the_answer_is_enough():
    told = read([*stored(5, 6, 7, 8), END], looks=[DONE])
    assert numbers(told) == [0, 1, 8, 9]
    assert told[2]["response"]["output"] == [MESSAGE]
    assert told[3]["type"] == "response.completed"


def test_of_a_long_job_that_failed_nothing_is_made_up():
    failed = replace(DONE, status=JobStatus.FAILED, result=None, error={"code": "c"})
    told = read([*stored(5, 6, 7, 8), END], looks=[failed])
    assert numbers(told) == [0, 1, 8, 9]
    assert told[2]["response"]["output"] == []


def test_a_restart_is_an_event_among_the_others():
    restart = encoded(restarted_event(SHAPE, 2, 4))
    told = read([*stored(2, 3), restart, *stored(5, 6, 7, 8), END])
    assert numbers(told) == list(range(10))
    assert told[4]["extra_fields"]["restarted"] is True


def test_an_answer_of_another_attempt_than_the_events_starts_anew():
    overtaken = replace(DONE, last_sequence=3, is_overtaken=True, attempts=2)
    told = read([*stored(2, 3), END], looks=[overtaken])
    assert numbers(told) == list(range(len(told)))
    assert told[4]["extra_fields"]["restarted"] is True
    texts = [event["delta"] for event in told[4:] if "delta" in event]
    assert "".join(texts) == "Hi you"
    assert told[-1]["type"] == "response.completed"


PLAIN = replace(RUNNING, streamed=False)
PLAIN_DONE = replace(DONE, streamed=False, last_sequence=None)


def test_a_job_that_was_not_streamed_has_the_events_of_its_answer():
    told = read(record=PLAIN, looks=[PLAIN, AWAY, PLAIN_DONE], silence_seconds=1e-9)
    assert None in told
    told = [event for event in told if event is not None]
    assert numbers(told) == list(range(len(told)))
    assert [event["type"] for event in told].count("response.created") == 1
    assert told[-1]["response"]["id"] == JOB_ID
    assert "".join(event.get("delta", "") for event in told) == "Hi you"
    for after in range(-1, len(told)):
        assert read(record=PLAIN_DONE, looks=[PLAIN_DONE], after=after) == told[after + 1 :]


def test_a_job_that_was_not_streamed_and_failed_says_so():
    failed = replace(PLAIN_DONE, status=JobStatus.FAILED, result=None, error={"code": "c"})
    told = read(record=PLAIN, looks=[failed])
    assert numbers(told) == [0, 1, 2]
    assert told[-1]["type"] == "response.failed"


def test_the_last_event_says_who_served_as_those_before_it_do():
    served = {"provider": "p", "model_requested": "p/alias", "model_deployment": "real"}
    result = RESPONSE | {"extra_fields": {**served, "latency": 3, "raw_request": {"a": 1}}}
    event = closing_event(replace(DONE, result=orjson.dumps(result)))
    assert event["extra_fields"] == {**served, "request_type": "responses", "chunk_index": 9}
