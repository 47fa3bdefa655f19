"""The events of streamed jobs in the store, on fakeredis."""

import uuid

import pytest

from common.jobs import Ending, JobStatus, NewJob
from common.sse import SseEvent
from common.store.job_events import Append, JobEvents, StoredEvent

DONE = Ending(JobStatus.COMPLETED, result=b"{}", response_id="resp_1")


@pytest.fixture
def events(store):
    return JobEvents(store, store.client, cap=100, alias_seconds=60)


def submitted(store, job_id=None):
    job = NewJob(
        id=job_id or str(uuid.uuid4()),
        owner="",
        request=b"{}",
        options=b"{}",
        shape=b"{}",
        ttl_seconds=60,
        created_at_ms=1,
        fingerprint="f",
        submission=uuid.uuid4().hex,
        streamed=True,
    )
    assert store.create(job)
    return job.id


def claimed(store, job_id=None):
    return store.claim(job_id or submitted(store), uuid.uuid4().hex)


def at(*sequences):
    return [StoredEvent(n, SseEvent(b"response.x", b'{"n":%d}' % n)) for n in sequences]


def read(events, claim, after=-1):
    return [each.sequence for each in events.read(claim.job_id, after, 0.001) if each.event]


def test_events_are_read_after_a_place(store, events):
    claim = claimed(store)
    assert events.append([Append(claim, at(2, 3, 4))]) == [True]
    assert read(events, claim) == [2, 3, 4]
    assert read(events, claim, 3) == [4]
    assert events.read(claim.job_id, 3, 0.001) == at(4)


def test_many_jobs_are_appended_to_at_once(store, events):
    claims = [claimed(store) for _ in range(3)]
    assert events.append([Append(claim, at(2, 3)) for claim in claims]) == [True] * 3
    assert [read(events, claim) for claim in claims] == [[2, 3]] * 3


def test_an_append_sent_twice_adds_nothing_twice(store, events):
    claim = claimed(store)
    for _ in range(2):
        assert events.append([Append(claim, at(2, 3))]) == [True]
    assert read(events, claim) == [2, 3]


def test_an_attempt_that_was_overtaken_is_refused_and_the_next_goes_on(store, events):
    first = claimed(store)
    events.append([Append(first, at(2, 3))])
    store.release(first, b"")
    assert events.append([Append(first, at(4))]) == [False]
    second = claimed(store, first.job_id)
    assert second.last_sequence == 3
    assert events.append([Append(first, at(4)), Append(second, at(4))]) == [False, True]
    assert read(events, second) == [2, 3, 4]


def test_no_event_comes_after_the_end(store, events):
    claim = claimed(store)
    events.append([Append(claim, at(2))])
    store.finish(claim, DONE)
    assert events.append([Append(claim, at(3))]) == [False]
    assert [each.event for each in events.read(claim.job_id, 2, 0.001)] == [None]
    assert store.get(claim.job_id).last_sequence == 2


def test_the_output_so_far_is_there_while_the_job_runs(store, events):
    claim = claimed(store)
    events.append([Append(claim, at(2), partial=b'{"output":[]}')])
    assert store.get(claim.job_id).partial == b'{"output":[]}'
    events.append([Append(claim, [], partial=b'{"output":[1]}')])
    assert store.get(claim.job_id).partial == b'{"output":[1]}'
    store.finish(claim, DONE)
    assert store.get(claim.job_id).partial is None


def test_the_providers_id_leads_to_the_job_as_soon_as_it_is_known(store, events):
    claim = claimed(store)
    events.append([Append(claim, [], response_id="resp_early")])
    assert store.find_by_response("resp_early").id == claim.job_id
    other = claimed(store)
    store.cancel(other.job_id)
    events.append([Append(other, [], response_id="resp_refused")])
    assert store.find_by_response("resp_refused") is None


def test_old_events_are_trimmed_and_as_many_kept_as_promised(store, events):
    claim = claimed(store)
    for first in range(2, 1000, 50):
        events.append([Append(claim, at(*range(first, first + 50)))])
    assert 100 <= store.client.xlen(store.keys.events(claim.job_id)) < 300


def test_a_success_of_an_overtaken_attempt_is_marked(store, events):
    first = claimed(store)
    store.release(first, b"")
    second = claimed(store, first.job_id)
    events.append([Append(second, at(2))])
    assert store.finish(first, DONE)
    assert store.get(first.job_id).is_overtaken
    plain = claimed(store)
    store.finish(plain, DONE)
    assert not store.get(plain.job_id).is_overtaken


def test_deleting_a_running_job_wakes_its_readers_and_leaves_no_orphan(store, events):
    claim = claimed(store)
    events.append([Append(claim, at(2))])
    store.delete(claim.job_id)
    assert [each.event for each in events.read(claim.job_id, 2, 0.001)] == [None]
    assert 0 < store.client.pttl(store.keys.events(claim.job_id)) <= 10_000
    submitted(store, claim.job_id)
    again = claimed(store, claim.job_id)
    assert events.append([Append(again, at(2))]) == [True]
    assert read(events, again) == [2]
