"""The queue between front and workers: its names, and how a job is put in it.

The message carries the job's id and nothing else. Where Celery's broker is the job store's own
Redis, the message is built here byte by byte, so that the store can write record and message in
one atomic step; with any other broker Celery sends it, after the record.
"""

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import orjson

from common.store.keys import JOBS_QUEUE, WEBHOOKS_QUEUE
from common.store.scripts import store_errors

if TYPE_CHECKING:
    import redis

RUN_RESPONSE = "muninn.run_response"
DELIVER_WEBHOOK = "muninn.deliver_webhook"


@dataclass(frozen=True, slots=True)
class Work:
    """What a message asks for: a task, by its name, and the queue of its own that it waits in."""

    task: str
    queue: str


RUN = Work(RUN_RESPONSE, JOBS_QUEUE)
DELIVER = Work(DELIVER_WEBHOOK, WEBHOOKS_QUEUE)


class JobQueue(Protocol):
    """How a job gets its message."""

    def message(self, job_id: str) -> bytes:
        """The message to write together with the record; empty where ``send`` does it."""
        ...

    def send(self, job_id: str) -> None:
        """Send a message after the record was written. Raises ServiceUnavailable."""
        ...

    def oldest_waiting(self) -> "Waiting":
        """What is known of the message that has waited longest. Raises ServiceUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """The front of the queue: empty, or with this job next; None when it cannot be told."""

    is_empty: bool
    job_id: str | None = None


class StoreQueue:
    """The queue is a list in the job store's Redis; the store's scripts push the message."""

    def __init__(self, client: "redis.Redis", work: Work = RUN) -> None:
        self._client = client
        self._work = work

    def message(self, job_id: str) -> bytes:
        return build_message(job_id, self._work)

    def send(self, job_id: str) -> None:
        """Nothing is left to do."""

    def oldest_waiting(self) -> Waiting:
        with store_errors():
            message = self._client.lindex(self._work.queue, -1)
        if not isinstance(message, bytes):
            return Waiting(is_empty=True)
        return Waiting(is_empty=False, job_id=orjson.loads(message)["headers"]["id"])


def build_message(job_id: str, work: Work = RUN) -> bytes:
    """The message as Celery and kombu (protocol 2, Redis transport) would have written it."""
    body = base64.b64encode(orjson.dumps([[job_id], {}, _NO_CALLBACKS])).decode()
    return orjson.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {
                "lang": "py",
                "task": work.task,
                "id": job_id,
                "root_id": job_id,
                "parent_id": None,
                "group": None,
                "argsrepr": "",
                "kwargsrepr": "",
                "ignore_result": True,
                "retries": 0,
                "eta": None,
                "expires": None,
                "timelimit": [None, None],
            },
            "properties": {
                "correlation_id": job_id,
                "reply_to": "",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": work.queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )


_NO_CALLBACKS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
