"""Waiting for the end of jobs: woken by the store, with one connection for all who wait.

A notification can be lost with its connection. So nobody trusts it alone: who waits looks again
now and then, and at once when the connection was made anew.
"""

import logging
import threading
import time
from collections.abc import Callable

import redis
from redis.exceptions import RedisError
from tenacity import wait_random_exponential

from common.jobs import JobRecord
from common.retry_policy import attempt_state
from common.store.keys import ENDED_CHANNEL

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 5.0
LOOK_AGAIN_UNHEARD_SECONDS = 0.5
LISTEN_SECONDS = 1.0

_reconnect_pause = wait_random_exponential(multiplier=0.1, max=5)


class Endings:
    """Tells waiting threads that a job has ended."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._waiting: dict[str, list[threading.Event]] = {}
        self._lock = threading.Lock()
        self._is_listening = False
        self._thread: threading.Thread | None = None

    def wait(self, job_id: str, look: Callable[[], JobRecord], timeout_seconds: float) -> JobRecord:
        """The job as ``look`` finds it when it has ended, or when the time is up."""
        deadline = time.monotonic() + timeout_seconds
        ended = self._enter(job_id)
        try:
            while True:
                record = look()
                remaining_seconds = deadline - time.monotonic()
                if record.is_ended or remaining_seconds <= 0:
                    return record
                ended.wait(min(remaining_seconds, self._patience_seconds()))
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
            except RedisError as error:
                failures = 1 if self._is_listening else failures + 1
                self._is_listening = False
                log.warning("waiting without notifications: %s", type(error).__name__)
            time.sleep(_reconnect_pause(attempt_state(failures)))

    def _listen(self) -> None:
        pubsub = self._client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with pubsub:
            pubsub.subscribe(ENDED_CHANNEL)
            self._is_listening = True
            self._wake_all()
            while True:
                message = pubsub.get_message(timeout=LISTEN_SECONDS)
                if message is not None:
                    self._wake(message["data"].decode())

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for event in self._waiting.get(job_id, ()):
                event.set()

    def _wake_all(self) -> None:
        with self._lock:
            for events in self._waiting.values():
                for event in events:
                    event.set()
