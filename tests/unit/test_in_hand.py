"""What a stopping worker knows of the messages it has not begun with."""

from types import SimpleNamespace

import pytest
from celery import signals

from common.broker import create_celery
from common.queue import DELIVER_WEBHOOK, RUN_RESPONSE
from common.settings import load_settings
from worker.in_hand import InHand


@pytest.fixture
def in_hand():
    in_hand = InHand()
    in_hand.listen()
    yield in_hand
    signals.task_received.disconnect(in_hand._received)


def receive(name, job_id):
    signals.task_received.send(sender=None, request=SimpleNamespace(name=name, id=job_id))


def test_a_message_is_in_hand_until_its_task_begins(in_hand):
    receive(RUN_RESPONSE, "b")
    receive(RUN_RESPONSE, "a")
    assert in_hand.left() == ["a", "b"]
    in_hand.begun("a")
    assert in_hand.left() == ["b"]


def test_webhooks_are_looked_after_by_themselves(in_hand):
    receive(DELIVER_WEBHOOK, "a")
    assert in_hand.left() == []


@pytest.mark.parametrize(
    ("url", "forgets"),
    [("redis://h/0", True), ("redis+sentinel://h/0?master=m", True), ("amqp://h//", False)],
)
def test_only_a_redis_forgets_messages_that_it_has_given(url, forgets):
    celery = create_celery(load_settings({"MUNINN_BROKER_URL": url}))
    queues = celery.conf.task_queues or []
    assert bool(queues) == forgets
    assert all(queue.no_ack for queue in queues)
