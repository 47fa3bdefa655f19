"""Connections that rest between calls."""

import threading
import time
from collections import deque

from common.providers.connections import Connection, Origin


class ConnectionPool:
    """Idle connections by origin, last in first out, so that the surplus ages and is dropped.

    A connection that has been idle for ``max_idle_seconds``, or beyond ``max_idle_per_origin``
    of them, is closed. Any thread may call.
    """

    def __init__(self, max_idle_per_origin: int = 512, max_idle_seconds: float = 50.0) -> None:
        self._max_idle_per_origin = max_idle_per_origin
        self._max_idle_seconds = max_idle_seconds
        self._idle: dict[Origin, deque[Connection]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def take(self, origin: Origin) -> Connection | None:
        """A connection that looks alive, or None."""
        while True:
            with self._lock:
                resting = self._idle.get(origin)
                connection = resting.pop() if resting else None
            if connection is None or connection.is_reusable(self._max_idle_seconds):
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Let a connection rest whose last answer was read to its end."""
        connection.idle_since = time.monotonic()
        with self._lock:
            resting = self._idle.setdefault(connection.origin, deque())
            resting.append(connection)
            surplus = self._surplus(resting)
        for old in surplus:
            old.close()

    def close(self) -> None:
        """Close all that rest; those in use are closed when they come back."""
        with self._lock:
            self._closed = True
            resting = [connection for each in self._idle.values() for connection in each]
            self._idle.clear()
        for connection in resting:
            connection.close()

    def _surplus(self, resting: deque[Connection]) -> list[Connection]:
        allowed = 0 if self._closed else self._max_idle_per_origin
        oldest = time.monotonic() - self._max_idle_seconds
        surplus = []
        while resting and (len(resting) > allowed or resting[0].idle_since < oldest):
            surplus.append(resting.popleft())
        return surplus
