"""One attempt after another, to a sender without sockets."""

import uuid

import pytest

from common.errors import ServiceUnavailable
from common.jobs import DeliveryState
from common.queue import DELIVER, StoreQueue
from common.store.deliveries import Deliveries
from common.webhook_rows import WebhookRow
from common.webhooks.backoff import Backoff
from common.webhooks.delivery import WebhookDelivery
from common.webhooks.dispatch import Dispatcher
from common.webhooks.endpoints import Endpoints
from tests.support.deliveries import FAR, FakeSender, ended, time_comes
from tests.support.webhooks import SECRET


@pytest.fixture
def queue(redis_client) -> StoreQueue:
    return StoreQueue(redis_client, DELIVER)


@pytest.fixture
def deliveries(store, queue) -> Deliveries:
    return Deliveries(store, queue.message)


@pytest.fixture
def dispatcher(deliveries, queue) -> Dispatcher:
    return Dispatcher(deliveries, queue)


def delivery_of(store, deliveries, sender, target="hook", attempts=3) -> WebhookDelivery:
    rows = {target: WebhookRow(url="https://a.example/in", secrets=[SECRET])}
    return WebhookDelivery(store, deliveries, Endpoints(rows), sender, Backoff(attempts, 60.0))


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        (500, 500, "refused"),
        (302, 302, "redirected"),
        ("timeout", None, "timeout"),
        ("private_address", None, "private_address"),
    ],
)
def test_an_attempt_that_fails_is_repeated_later(
    store, deliveries, dispatcher, outcome, status, error
) -> None:
    job_id = ended(store)
    dispatcher.tick(FAR)
    delivery_of(store, deliveries, FakeSender(outcome)).run(job_id)
    found = store.get(job_id).delivery
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
    assert (found.last_status, found.last_error) == (status, error)


def test_attempts_are_bounded_and_the_end_of_them_is_visible(store, deliveries, dispatcher) -> None:
    job_id = ended(store)
    sender = FakeSender(500, "timeout", 503)
    delivery = delivery_of(store, deliveries, sender, attempts=3)
    for _ in range(3):
        time_comes(store, job_id)
        dispatcher.tick(FAR)
        delivery.run(job_id)
    assert sender.outcomes == []
    found = store.get(job_id).delivery
    assert (found.state, found.attempts, found.last_status) == (DeliveryState.GIVEN_UP, 3, 503)
    assert found.next_attempt_at_ms is None
    assert deliveries.due(FAR) == []
    assert len({headers["webhook-id"] for _, _, headers in sender.sent}) == 1
    assert len({body for _, body, _ in sender.sent}) == 1


def test_a_receiver_that_is_gone_is_asked_once(store, deliveries, dispatcher) -> None:
    job_id = ended(store)
    dispatcher.tick(FAR)
    delivery_of(store, deliveries, FakeSender(410)).run(job_id)
    assert store.get(job_id).delivery.state is DeliveryState.GIVEN_UP


def test_an_endpoint_that_is_no_longer_configured_may_come_back(
    store, deliveries, dispatcher
) -> None:
    job_id = ended(store)
    dispatcher.tick(FAR)
    delivery_of(store, deliveries, FakeSender(), target="another").run(job_id)
    found = store.get(job_id).delivery
    assert (found.state, found.last_error) == (DeliveryState.PENDING, "not_configured")


def test_a_message_for_nothing_does_nothing(store, deliveries) -> None:
    delivery_of(store, deliveries, FakeSender()).run(str(uuid.uuid4()))
    delivery_of(store, deliveries, FakeSender()).run(ended(store))


def test_a_store_that_is_away_leaves_the_delivery_to_its_lease(
    store, deliveries, dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = ended(store)

    def away(*_):
        raise ServiceUnavailable("away")

    monkeypatch.setattr(store.scripts, "run", away)
    delivery_of(store, deliveries, FakeSender()).run(job_id)
    dispatcher.ended(job_id)
    monkeypatch.undo()
    assert deliveries.due(FAR) == [job_id]


def test_an_attempt_that_fails_of_itself_counts_and_is_bounded(
    store, deliveries, dispatcher, monkeypatch
) -> None:
    def broken(*_: object) -> dict[str, str]:
        raise TypeError("a bug")

    monkeypatch.setattr("common.webhooks.delivery.signed_headers", broken)
    job_id = ended(store)
    delivery = delivery_of(store, deliveries, FakeSender(), attempts=2)
    for _ in range(2):
        time_comes(store, job_id)
        dispatcher.tick(FAR)
        delivery.run(job_id)
    found = store.get(job_id).delivery
    assert (found.state, found.last_error) == (DeliveryState.GIVEN_UP, "internal_error")
