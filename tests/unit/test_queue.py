"""The message that wakes a worker. What Celery makes of it is tested on a real server."""

import base64
import json

import pytest

from common.queue import RUN_RESPONSE, StoreQueue, Waiting, build_message
from common.store.keys import JOBS_QUEUE


def message(job_id="job-1"):
    return json.loads(build_message(job_id))


def test_a_message_carries_the_jobs_id_and_nothing_else():
    body = json.loads(base64.b64decode(message()["body"]))
    assert body[:2] == [["job-1"], {}]
    assert not any(body[2].values())


def test_a_message_names_the_task_and_the_queue():
    headers, properties = message()["headers"], message()["properties"]
    assert (headers["task"], headers["id"], headers["root_id"]) == (RUN_RESPONSE, "job-1", "job-1")
    assert properties["delivery_info"]["routing_key"] == JOBS_QUEUE
    assert properties["correlation_id"] == "job-1"


def test_a_message_is_small():
    assert len(build_message("0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69")) < 1000


def test_each_message_has_a_delivery_tag_of_its_own():
    tags = {message()["properties"]["delivery_tag"] for _ in range(10)}
    assert len(tags) == 10


def test_nothing_is_scheduled_or_limited_by_celery():
    headers = message()["headers"]
    assert (headers["eta"], headers["expires"], headers["timelimit"]) == (None, None, [None, None])
    assert headers["ignore_result"] is True


def test_the_message_that_waits_longest_is_the_next(redis_client):
    queue = StoreQueue(redis_client)
    assert queue.oldest_waiting() == Waiting(is_empty=True)
    for job_id in ("first", "second"):
        redis_client.lpush(JOBS_QUEUE, queue.message(job_id))
    assert queue.oldest_waiting() == Waiting(is_empty=False, job_id="first")


@pytest.mark.parametrize("job_id", ["a", "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"])
def test_sending_is_nothing_for_the_store_has_done_it(redis_client, job_id):
    StoreQueue(redis_client).send(job_id)
    assert redis_client.dbsize() == 0
