"""The hand-built message against what the installed Celery and kombu really write and read."""

import base64
import json
from collections.abc import Iterator

import pytest

from common.broker import create_celery
from common.queue import RUN_RESPONSE, build_message
from common.settings import Settings
from common.store.keys import JOBS_QUEUE

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
SPARE_DATABASE = 9


@pytest.fixture
def spare_url(store_server) -> str:
    """A database of the shared store that no worker listens to."""
    return store_server.url.removesuffix("/0") + f"/{SPARE_DATABASE}"


@pytest.fixture
def spare(store_server) -> Iterator:
    with store_server.client() as client:
        client.select(SPARE_DATABASE)
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def celery(spare_url) -> Iterator:
    app = create_celery(Settings(redis_url=spare_url))
    yield app
    app.close()


def written_by_celery(celery, spare):
    celery.send_task(RUN_RESPONSE, args=[JOB_ID], task_id=JOB_ID, ignore_result=True)
    raw = spare.execute_command("RPOP", JOBS_QUEUE)
    return json.loads(raw)


def kinds(value):
    """The type of each member, as deep as they go."""
    if isinstance(value, dict):
        return {name: kinds(each) for name, each in value.items()}
    return [kinds(each) for each in value] if isinstance(value, list) else type(value).__name__


# Celery writes these to be read by people and other tools; no worker needs them.
DECORATION = {
    "origin", "stamped_headers", "stamps", "shadow", "group_index", "replaced_task_nesting",
    "argsrepr", "kwargsrepr",
}  # fmt: skip


def needed(message):
    headers = {name: each for name, each in message["headers"].items() if name not in DECORATION}
    return {**message, "headers": headers}


def test_the_message_has_the_members_and_types_that_celery_writes(celery, spare):
    theirs, ours = written_by_celery(celery, spare), json.loads(build_message(JOB_ID))
    assert ours.keys() == theirs.keys()
    assert ours["properties"].keys() == theirs["properties"].keys()
    their_kinds, our_kinds = kinds(needed(theirs)), kinds(needed(ours))
    for each in (their_kinds, our_kinds):
        each["properties"].pop("reply_to")
    assert our_kinds == their_kinds


def test_the_values_that_matter_are_those_that_celery_writes(celery, spare):
    theirs, ours = written_by_celery(celery, spare), json.loads(build_message(JOB_ID))
    same = ("content-type", "content-encoding")
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    for name in ("task", "id", "root_id", "lang", "retries", "eta", "expires", "timelimit"):
        assert ours["headers"][name] == theirs["headers"][name], name
    for name in ("delivery_info", "delivery_mode", "priority", "body_encoding"):
        assert ours["properties"][name] == theirs["properties"][name], name
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(
        base64.b64decode(theirs["body"])
    )


def test_a_celery_consumer_reads_our_message_and_leaves_nothing(celery, spare):
    spare.lpush(JOBS_QUEUE, build_message(JOB_ID))
    got = []

    def take(body, message):
        got.append((body, message.headers, message.properties))
        message.ack()

    queue = celery.amqp.queues.select_add(JOBS_QUEUE)
    with (
        celery.connection_for_read() as connection,
        connection.Consumer([queue], callbacks=[take], accept=["json"]),
    ):
        connection.drain_events(timeout=10)
    ((body, headers, properties),) = got
    assert body[:2] == [[JOB_ID], {}]
    assert (headers["task"], headers["id"]) == (RUN_RESPONSE, JOB_ID)
    assert properties["correlation_id"] == JOB_ID
    left = {key.decode() for key in spare.scan_iter()}
    assert {key for key in left if not key.startswith("_kombu.binding")} == set()
