"""The thread that writes the events of all jobs."""

import threading

import pytest

from common.errors import ServiceUnavailable
from common.jobs import Claim
from common.sse import SseEvent
from common.store.job_events import Append, StoredEvent
from worker import event_writer
from worker.event_writer import EventWriter
from worker.persistence import Persistence


def claim_of(job_id="a", attempt=1):
    return Claim(job_id, f"{job_id}-{attempt}", attempt, b"", b"{}", 0, 0, 0, 0, 60)


def append(sequence, claim=None, **more):
    stored = StoredEvent(sequence, SseEvent(b"x", b"{}"))
    return Append(claim or claim_of(), [stored], **more)


class FakeEvents:
    """Takes what is appended; ``outcomes`` are what the next calls raise or answer."""

    cap = 7

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.batches = []
        self.open = threading.Event()
        self.open.set()

    def append(self, batch):
        assert self.open.wait(10)
        outcome = self.outcomes.pop(0) if self.outcomes else [True] * len(batch)
        if isinstance(outcome, Exception):
            raise outcome
        self.batches.append(list(batch))
        return outcome

    @property
    def sequences(self):
        return [s.sequence for batch in self.batches for a in batch for s in a.events]


@pytest.fixture
def started():
    """Makes writers that run, and stops them."""
    writers = []

    def make(events, persistence=None):
        writer = EventWriter(events, persistence or Persistence())
        writer.start()
        writers.append(writer)
        return writer

    yield make
    for writer in writers:
        writer.stop()


def test_what_is_left_is_written_in_order(started):
    events = FakeEvents()
    writer = started(events)
    for sequence in range(100):
        assert writer.leave(append(sequence))
    writer.flush()
    assert events.sequences == list(range(100))
    assert writer.cap == 7


def test_what_comes_while_the_store_is_busy_travels_together(started):
    events = FakeEvents()
    events.open.clear()
    writer = started(events)
    for sequence in range(50):
        writer.leave(append(sequence, claim_of("ab"[sequence % 2]), partial=b"%d" % sequence))
    events.open.set()
    writer.flush()
    assert len(events.batches) <= 2, "one on its way, and all the others"
    last = {each.claim.job_id: each.partial for each in events.batches[-1]}
    assert last == {"a": b"48", "b": b"49"}


def test_a_store_that_is_away_is_waited_for_and_nothing_is_lost(started):
    events = FakeEvents(ServiceUnavailable("away"), ServiceUnavailable("away"))
    writer = started(events)
    writer.leave(append(1))
    writer.flush()
    assert events.sequences == [1]


def test_an_attempt_that_was_refused_is_told_so_until_it_is_forgotten(started):
    writer = started(FakeEvents([False]))
    writer.leave(append(1))
    writer.flush()
    assert not writer.leave(append(2))
    assert writer.leave(append(2, claim_of(attempt=2)))
    writer.forget(claim_of("a", 1))
    assert writer.leave(append(3))


def test_a_fault_of_one_batch_does_not_stop_the_next(started):
    events = FakeEvents(RuntimeError("a bug"))
    writer = started(events)
    writer.leave(append(1))
    writer.flush()
    writer.leave(append(2))
    writer.flush()
    assert events.sequences == [2]


def test_nobody_waits_for_a_store_that_was_given_up(started):
    events = FakeEvents(*[ServiceUnavailable("away")] * 1000)
    persistence = Persistence()
    writer = started(events, persistence)
    writer.leave(append(1))
    flushing = threading.Thread(target=writer.flush)
    flushing.start()
    persistence.give_up()
    flushing.join(10)
    assert not flushing.is_alive()


def test_nobody_waits_for_a_writer_that_was_stopped(started):
    events = FakeEvents()
    writer = EventWriter(events, Persistence())
    writer.leave(append(1))
    writer.stop()
    writer.flush()


def test_what_piled_up_is_written_in_parts(started, monkeypatch):
    monkeypatch.setattr(event_writer, "MOST_TOGETHER", 3)
    events = FakeEvents()
    events.open.clear()
    writer = started(events)
    for sequence in range(8):
        writer.leave(append(sequence, claim_of(job_id=str(sequence))))
    events.open.set()
    writer.flush()
    assert events.sequences == list(range(8))
    assert max(map(len, events.batches)) <= 3
