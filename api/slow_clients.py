"""Clients that never finish: what they get to send a body, and to take an answer.

A body is read by the thread of its call, which nothing can wake but the end of the connection. So
a call that waits is noted here, and a watch hangs up on its client when the time is over. Which
connection that is has to be found out, for the server does not tell: it is one from the client's
address, and not that of another call, whose request was whole soon after its connection had
brought its last data. In doubt nothing is done; calls end, and the next look is clearer.
"""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any
from weakref import ref

from api.client_sockets import IS_SUPPORTED, ClientSocket, bound_unread_answers, client_sockets

log = logging.getLogger(__name__)

# A client's time is for so much of a body; a longer body has it for each such piece.
PIECE_BYTES = 1024 * 1024
LOOK_SECONDS = 0.25
# From the arrival of a request's last data to its being noticed here, at most; and clocks differ.
_NOTICED_SECONDS = 5.0
_SLACK_SECONDS = 0.05

_PLACE = "muninn.flight"


class Flight:
    """A request being served. It lives as long as its WSGI environment."""

    __slots__ = ("__weakref__", "address", "is_late", "is_waiting", "since")

    def __init__(self, address: str) -> None:
        _flights[id(self)] = ref(self)
        self.address = address
        self.is_waiting = False
        self.is_late = False
        # Since when it waits for its body; or when all was there.
        self.since = time.monotonic()

    def __del__(self) -> None:
        del _flights[id(self)]

    def read(self, stream: Any, size: int) -> bytes:
        """The next bytes of the body, all of that size unless it ends or takes too long; then
        ``is_late`` is set."""
        self.since = time.monotonic()
        self.is_waiting = True
        try:
            return bytes(stream.read(min(size, PIECE_BYTES)))
        finally:
            self.since = time.monotonic()
            self.is_waiting = False


# Half the price of a WeakSet, and a copy of it is made in one step.
_flights: dict[int, ref[Flight]] = {}


def flight_of(environ: dict[str, Any]) -> Flight:
    """The flight of a request; it begins when it is first asked for."""
    flight: Flight | None = environ.get(_PLACE)
    if flight is None:
        flight = environ[_PLACE] = Flight(environ.get("REMOTE_ADDR", ""))
    return flight


class SlowClientWatch:
    """Hangs up on clients of one port that take longer than ``seconds`` for what they owe."""

    def __init__(self, port: int, seconds: float, threads: int) -> None:
        self._port = port
        self._seconds = seconds
        self._threads = threads

    def start(self) -> None:
        """Watch from now on, in a thread of its own; nothing where the kernel does not tell."""
        if IS_SUPPORTED:
            threading.Thread(target=self._run, name="slow-clients", daemon=True).start()

    def _run(self) -> None:
        while not bound_unread_answers(self._port, self._seconds):
            time.sleep(LOOK_SECONDS / 5)  # the server begins to listen when the app is loaded
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("looking for slow clients failed")

    def look(self) -> None:
        """Hang up on every client that is late."""
        flights = [flight for each in list(_flights.values()) if (flight := each())]
        before = time.monotonic() - self._seconds
        late = [flight for flight in flights if flight.is_waiting and flight.since < before]
        if not late or self._may_be_queueing(len(flights), len(late)):
            return
        sockets = client_sockets(self._port)
        for flight in late:
            flight.is_late = True
        for address in {flight.address for flight in late}:
            theirs = [each for each in sockets if each.address == address]
            others = [each for each in flights if each.address == address and not each.is_late]
            calls = [each.since for each in others if not each.is_waiting]
            bodies = [each.since for each in others if each.is_waiting]
            guilty = unexplained(theirs, calls, bodies)
            log.info("slow clients: hung up on %d connections", len(guilty))
            for each in guilty:
                each.hang_up()

    def _may_be_queueing(self, flights: int, late: int) -> bool:
        """Whether requests that nobody knows of may wait for a thread; not worth a thought when
        most threads are held by the late ones."""
        return flights >= self._threads and late < self._threads / 2


def unexplained(
    sockets: Iterable[ClientSocket], calls: Iterable[float], bodies: Iterable[float]
) -> list[ClientSocket]:
    """The connections that belong to none of the calls, each known by when its request was whole,
    and to none of the bodies on their way, known by when they were first waited for.

    One that brought its last data shortly before such a time may be its own. The connection of a
    body that has brought more since then is among those that were heard last.
    """
    left = sorted(sockets, key=lambda each: each.heard_at)
    found: list[ClientSocket] = []
    moving = 0
    times = [*((each, False) for each in calls), *((each, True) for each in bodies)]
    for time_noticed, is_body in sorted(times, reverse=True):
        while left and left[-1].heard_at > time_noticed + _SLACK_SECONDS:
            found.append(left.pop())
        if left and time_noticed - left[-1].heard_at <= _NOTICED_SECONDS:
            left.pop()
        elif is_body:
            moving += 1
    found += left
    found.sort(key=lambda each: each.heard_at)
    return found[: max(len(found) - moving, 0)]
