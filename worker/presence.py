"""Says every few seconds that this worker is there, for the overview. Nothing depends on it."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from common.errors import ServiceUnavailable
from common.store.presence import EVERY_SECONDS, Presence, WorkerState
from common.version import version

log = logging.getLogger(__name__)

# A store that does not answer keeps no worker from stopping.
GOODBYE_SECONDS = 1.0


class Attendance:
    """One thread that speaks for this process, and stays silent about a store that is away.

    ``running`` tells how many jobs are in hand.
    """

    def __init__(self, presence: Presence, slots: int, running: Callable[[], int]) -> None:
        self._presence = presence
        self._running = running
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        host, pid = socket.gethostname(), os.getpid()
        self._worker = WorkerState(
            id=f"{host}:{pid}:{uuid.uuid4().hex[:8]}",
            host=host,
            pid=pid,
            version=version(),
            slots=slots,
            running=0,
            started_at_ms=int(time.time() * 1000),
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Say that this worker is gone."""
        self._stopped.set()
        self._thread.join(GOODBYE_SECONDS)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._try(self._say)
            self._stopped.wait(EVERY_SECONDS)
        self._try(lambda: self._presence.leave(self._worker.id))

    def _say(self) -> None:
        self._presence.say(replace(self._worker, running=self._running()))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ServiceUnavailable:
            return  # it is known for a while, and others say what is wrong
        except Exception:
            log.exception("presence could not be told")
