"""Waiting for the end of jobs: woken by the store, with one connection for all who wait.

A notification can be lost with its connection. So nobody trusts it alone: who waits looks again
now and then, and at once when the connection was made anew.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import TimeoutError as RedisTimeoutError
from tenacity import wait_random_exponential

from common.errors import ServiceUnavailable
from common.jobs import JobRecord
from common.retry_policy import attempt_state
from common.store.keys import ENDED_CHANNEL
from common.store.scripts import STORE_ERRORS

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
LOOK_AGAIN_UNHEARD_SECONDS = 0.5
# A connection on which not even a ping is answered for so long is dead.
SILENCE_SECONDS = 5.0
PING_SECONDS = 1.0

_reconnect_pause = wait_random_exponential(multiplier=0.1, max=5)


class Endings:
    """Tells waiting threads that a job has ended."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._waiting: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._is_listening = False
        self._heard_at = 0.0
        self._thread: threading.Thread | None = None

    def wait(self, job_id: str, look: Callable[[], JobRecord], timeout_seconds: float) -> JobRecord:
        """The job as ``look`` finds it when it has ended, or when the time is up.

        While the store is away it goes on waiting; raises ServiceUnavailable when the time is up
        and it still is. Whatever else ``look`` raises ends the waiting.
        """
        deadline = time.monotonic() + timeout_seconds
        ended = self._enter(job_id)
        try:
            while True:
                record = _look_until(deadline, look)
                remaining_seconds = deadline - time.monotonic()
                if record is not None and (record.is_ended or remaining_seconds <= 0):
                    return record
                ended.wait(min(max(remaining_seconds, 0), self._patience_seconds()))
                ended.clear()
        finally:
            self._leave(job_id, ended)

    def _patience_seconds(self) -> float:
        return LOOK_AGAIN_SECONDS if self._is_listening else LOOK_AGAIN_UNHEARD_SECONDS

    def _enter(self, job_id: str) -> threading.Event:
        event = threading.Event()
        with self._lock:
            self._waiting.setdefault(job_id, []).append(event)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="endings", daemon=True)
                self._thread.start()
        return event

    def _leave(self, job_id: str, event: threading.Event) -> None:
        with self._lock:
            events = self._waiting[job_id]
            events.remove(event)
            if not events:
                del self._waiting[job_id]

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                self._listen()
            except STORE_ERRORS as error:
                log.warning("waiting without notifications: error=%s", type(error).__name__)
            except Exception:
                log.exception("listening for notifications failed")
            failures = 1 if self._is_listening else failures + 1
            self._is_listening = False
            time.sleep(_reconnect_pause(attempt_state(failures)))

    def _listen(self) -> None:
        """Listen until the connection fails, and then raise."""
        with self._client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            self._heard_at = time.monotonic()
            pubsub.subscribe(ENDED_CHANNEL)
            while True:
                message = pubsub.get_message(timeout=PING_SECONDS)
                if message is not None:
                    self._hear(message)
                elif time.monotonic() - self._heard_at > SILENCE_SECONDS:
                    raise RedisTimeoutError("no answer to a ping")
                else:
                    pubsub.ping()

    def _hear(self, message: dict[str, Any]) -> None:
        self._heard_at = time.monotonic()
        if message["type"] == "message":
            self._wake(message["data"].decode())
        elif message["type"] == "subscribe":
            # Also after redis-py has mended the connection by itself: what was said meanwhile
            # was not heard.
            self._is_listening = True
            self._wake_all()

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for event in self._waiting.get(job_id, ()):
                event.set()

    def _wake_all(self) -> None:
        with self._lock:
            for events in self._waiting.values():
                for event in events:
                    event.set()


def _look_until(deadline: float, look: Callable[[], JobRecord]) -> JobRecord | None:
    """The record; None when the store is away and there is time to look again."""
    try:
        return look()
    except ServiceUnavailable:
        if time.monotonic() >= deadline:
            raise
        return None
