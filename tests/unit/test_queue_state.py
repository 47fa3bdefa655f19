"""What waits and runs, counted over all partitions, on fakeredis."""

import fakeredis

from common.store.job_store import JobStore, StoreLimits
from common.store.keys import Keys
from common.store.queue_state import queue_state
from tests.support.stored_jobs import claimed, submitted


def test_an_empty_store_has_nothing_to_do(store: JobStore) -> None:
    state = queue_state(store)
    assert (state.queued, state.parked, state.running) == (0, 0, 0)
    assert state.oldest_enqueued_at_ms is None
    assert state.oldest_waited_seconds is None
    assert state.now_ms > 1_700_000_000_000


def test_each_job_is_counted_where_it_is(store: JobStore) -> None:
    jobs = [submitted(store) for _ in range(4)]
    claimed(store, jobs[0])
    assert store.release(claimed(store, jobs[1]), b"", delay_seconds=60, error={})
    state = queue_state(store)
    assert (state.queued, state.parked, state.running) == (2, 1, 1)


def test_the_oldest_is_the_one_that_was_queued_first_in_any_partition(
    redis_client: fakeredis.FakeRedis,
) -> None:
    store = JobStore(redis_client, Keys(partitions=8), StoreLimits())
    jobs = [submitted(store) for _ in range(40)]
    oldest = jobs[17]
    now_ms = queue_state(store).now_ms
    index = store.keys.index("queued", store.keys.partition_of(oldest.id))
    redis_client.zadd(index, {oldest.id: now_ms - 90_000})
    state = queue_state(store)
    assert state.queued == 40
    assert state.oldest_enqueued_at_ms == now_ms - 90_000
    waited = state.oldest_waited_seconds
    assert waited is not None
    assert 90 <= waited < 100


def test_who_waits_for_a_turn_is_counted_apart_and_may_be_the_oldest(store: JobStore) -> None:
    submitted(store)
    store.client.zadd(store.keys.index("held", 0), {"some job": 1_000})
    state = queue_state(store)
    assert (state.queued, state.parked, state.held) == (1, 1, 1)
    assert state.oldest_enqueued_at_ms == 1_000
