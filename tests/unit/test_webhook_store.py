"""A delivery from the job's end to its settlement, script by script, on fakeredis."""

import uuid

import pytest

from common.jobs import Delivery, DeliveryState
from common.queue import DELIVER, StoreQueue
from common.store.deliveries import Deliveries
from common.store.keys import WEBHOOKS_QUEUE
from common.webhooks.dispatch import Dispatcher
from tests.support.deliveries import FAR, LEASE_MS, claimed, ended, index_of, submitted, time_comes


@pytest.fixture
def queue(redis_client) -> StoreQueue:
    return StoreQueue(redis_client, DELIVER)


@pytest.fixture
def deliveries(store, queue) -> Deliveries:
    return Deliveries(store, queue.message)


@pytest.fixture
def dispatcher(deliveries, queue) -> Dispatcher:
    return Dispatcher(deliveries, queue)


def messages(redis_client) -> int:
    return redis_client.llen(WEBHOOKS_QUEUE)


def test_a_job_without_a_webhook_expects_no_delivery(store, deliveries) -> None:
    job_id = ended(store, webhook=None)
    assert deliveries.due(FAR) == []
    assert store.get(job_id).delivery is None
    assert store.client.pttl(store.keys.job(job_id)) > 0


@pytest.mark.parametrize("way", ["finish", "cancel", "expire"])
def test_whichever_way_a_job_ends_its_delivery_is_due_in_the_same_step(
    store, deliveries, way
) -> None:
    if way == "finish":
        job_id = ended(store)
    else:
        job_id = submitted(store)
        if way == "cancel":
            store.cancel(job_id)
        else:
            keys = store.keys.of_script(job_id)
            assert store.scripts.run("expire", keys, [job_id, "{}", 64, FAR]) == b"failed"
    assert deliveries.due(FAR) == [job_id]
    found = store.get(job_id).delivery
    assert (found.target, found.state, found.attempts) == ("hook", DeliveryState.PENDING, 0)
    assert found.next_attempt_at_ms


def test_a_waiting_job_shows_its_webhook_and_expects_nothing_yet(store, deliveries) -> None:
    job_id = submitted(store)
    assert store.get(job_id).delivery == Delivery("hook")
    assert deliveries.due(FAR) == []
    assert not deliveries.enqueue(job_id)


def test_nothing_of_a_job_expires_while_its_delivery_is_pending(store, deliveries) -> None:
    job_id = ended(store, streamed=True, ttl_seconds=1)
    keys = (store.keys.job(job_id), store.keys.events(job_id))
    assert [store.client.pttl(key) for key in keys] == [-1, -1]
    claimed(deliveries, job_id)
    assert deliveries.failed(job_id, "w", "timeout", None, 9.0)
    assert [store.client.pttl(key) for key in keys] == [-1, -1]
    time_comes(store, job_id)
    claimed(deliveries, job_id, "x")
    assert deliveries.delivered(job_id, "x", 200)
    assert all(0 < store.client.pttl(key) <= 1000 for key in keys)


def test_a_late_delivery_leaves_time_to_fetch_the_result(store, deliveries) -> None:
    job_id = ended(store, ttl_seconds=3600)
    store.client.hset(store.keys.job(job_id), "expires_at", 1)
    claimed(deliveries, job_id)
    deliveries.delivered(job_id, "w", 200)
    assert 590_000 < store.client.pttl(store.keys.job(job_id)) <= 600_000
    record = store.get(job_id)
    assert 590_000 < record.expires_at_ms - record.delivery.delivered_at_ms <= 600_000


def test_a_prompt_delivery_leaves_the_time_to_live_as_it_was(store, deliveries) -> None:
    job_id = ended(store, ttl_seconds=3600)
    expires_at_ms = store.get(job_id).expires_at_ms
    claimed(deliveries, job_id)
    deliveries.delivered(job_id, "w", 200)
    assert store.get(job_id).expires_at_ms == expires_at_ms


def test_two_who_look_after_deliveries_send_one_message(store, redis_client, dispatcher) -> None:
    ended(store)
    dispatcher.tick(FAR)
    dispatcher.tick(FAR)
    assert messages(redis_client) == 1


def test_of_two_messages_one_is_taken(store, deliveries) -> None:
    job_id = claimed(deliveries, ended(store))
    assert deliveries.claim(job_id, "other", LEASE_MS) is None
    assert deliveries.claim(job_id, "w", LEASE_MS) == 1  # asked again, its answer was lost


def test_a_message_that_is_lost_is_sent_again_after_its_lease(
    store, redis_client, deliveries, dispatcher
) -> None:
    job_id = ended(store)
    dispatcher.tick(FAR)
    redis_client.delete(WEBHOOKS_QUEUE)
    dispatcher.tick(FAR)
    assert messages(redis_client) == 0
    time_comes(store, job_id)
    dispatcher.tick(FAR)
    assert messages(redis_client) == 1
    assert deliveries.claim(job_id, "w", LEASE_MS) == 1


def test_a_backlog_does_not_multiply(store, redis_client, dispatcher, deliveries) -> None:
    first, second = ended(store), ended(store)
    dispatcher.tick(FAR)
    for _ in range(3):
        for job_id in (first, second):
            time_comes(store, job_id)
        dispatcher.tick(FAR)
    assert messages(redis_client) == 2
    assert set(deliveries.due(FAR)) == {first, second}


def test_a_worker_that_is_lost_costs_a_lease(store, redis_client, deliveries, dispatcher) -> None:
    job_id = claimed(deliveries, ended(store))
    redis_client.delete(WEBHOOKS_QUEUE)
    time_comes(store, job_id)
    dispatcher.tick(FAR)
    assert messages(redis_client) == 1
    assert not deliveries.delivered(job_id, "w", 200), "the lost worker's claim is void"
    assert deliveries.claim(job_id, "x", LEASE_MS) == 2
    assert deliveries.delivered(job_id, "x", 200)
    assert deliveries.due(FAR) == []


def test_a_failure_waits_for_its_time(store, deliveries, redis_client, dispatcher) -> None:
    job_id = claimed(deliveries, ended(store))
    redis_client.delete(WEBHOOKS_QUEUE)
    assert deliveries.failed(job_id, "w", "refused", 503, 60.0)
    dispatcher.ended(job_id)
    assert messages(redis_client) == 0
    assert deliveries.claim(job_id, "stale message", LEASE_MS) is None
    found = store.get(job_id).delivery
    assert (found.state, found.last_status, found.last_error) == ("pending", 503, "refused")
    assert found.next_attempt_at_ms > store.get(job_id).completed_at_ms + 50_000


def test_a_deleted_job_takes_its_delivery_with_it(store, deliveries, redis_client) -> None:
    job_id = claimed(deliveries, ended(store))
    redis_client.delete(WEBHOOKS_QUEUE)
    store.delete(job_id)
    assert not deliveries.delivered(job_id, "w", 200)
    assert not deliveries.failed(job_id, "w", "timeout", None, 1.0)
    assert not redis_client.exists(store.keys.job(job_id), index_of(store))


def test_a_discarded_submit_takes_its_delivery_with_it(store, deliveries, redis_client) -> None:
    job_id = ended(store)
    keys = store.keys.of_script(job_id)
    assert store.scripts.run("discard", keys, [job_id, "s"])
    assert deliveries.due(FAR) == []


def test_an_index_entry_without_a_record_goes_when_it_is_looked_at(store, deliveries) -> None:
    job_id = ended(store)
    store.client.delete(store.keys.job(job_id))
    assert not deliveries.enqueue(job_id)
    assert deliveries.due(FAR) == []


def test_what_was_settled_can_be_sent_again_with_all_attempts(store, deliveries) -> None:
    job_id = claimed(deliveries, ended(store))
    deliveries.failed(job_id, "w", "refused", 410, None)
    assert store.get(job_id).delivery.state is DeliveryState.GIVEN_UP
    assert deliveries.again(job_id) == "expected"
    assert store.client.pttl(store.keys.job(job_id)) == -1
    claimed(deliveries, job_id, "x")
    assert deliveries.delivered(job_id, "x", 204)
    found = store.get(job_id).delivery
    assert (found.state, found.attempts) == (DeliveryState.DELIVERED, 1)
    assert found.delivered_at_ms
    assert found.last_error is None


def test_one_that_is_on_its_way_is_not_sent_twice(store, deliveries) -> None:
    job_id = claimed(deliveries, ended(store))
    assert deliveries.again(job_id) == "expected"
    assert not deliveries.enqueue(job_id)
    assert deliveries.delivered(job_id, "w", 200)


def test_what_cannot_be_sent_again_says_why(store, deliveries) -> None:
    assert deliveries.again(submitted(store)) == "not_ended"
    assert deliveries.again(ended(store, webhook=None)) == "none"
    assert deliveries.again(str(uuid.uuid4())) == "gone"


def test_where_no_endpoint_is_configured_the_end_of_a_job_is_not_looked_at(
    store, deliveries, queue, redis_client
) -> None:
    job_id = ended(store)
    Dispatcher(deliveries, queue, is_used=False).ended(job_id)
    assert messages(redis_client) == 0
