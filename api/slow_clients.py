"""Clients that never finish: what they get to send a body, and to take an answer.

A body is read by the thread of its call, which nothing can wake but the end of the connection. So
a call that waits is noted here, and a watch hangs up on its client when the time is over. Which
connection that is has to be found out, for the server does not tell: it is one from the client's
address that was sent nothing for all that time, and not that of another call, whose request was
whole soon after its connection had brought its last data. No more are ended than clients are late,
and in doubt none is; calls end, and the next look is clearer.
"""

import logging
import threading
import time
from collections.abc import Iterable
from math import inf
from typing import Any, NamedTuple
from weakref import ref

from api.client_sockets import IS_SUPPORTED, ClientSocket, bound_unread_answers, client_sockets

log = logging.getLogger(__name__)

# A client's time is for so much of a body; a longer body has it for each such piece.
PIECE_BYTES = 1024 * 1024
LOOK_SECONDS = 0.25
# From the arrival of a request's last data to its being noticed here, at most; and clocks differ.
_NOTICED_SECONDS = 5.0
_SLACK_SECONDS = 0.02
# What is noticed within so long may be noticed in another order than it came.
_SAME_TIME_SECONDS = 0.25
# From the first wait for a body to the "100 Continue" that some clients ask for, at most.
_CONTINUE_SECONDS = 0.5

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
            since = [each.since for each in late if each.address == address]
            guilty = those_of_late(since, theirs, calls, bodies)
            log.info("slow clients: hung up on %d connections", len(guilty))
            for each in guilty:
                each.hang_up()

    def _may_be_queueing(self, flights: int, late: int) -> bool:
        """Whether requests that nobody knows of may wait for a thread; not worth a thought when
        most threads are held by the late ones."""
        return flights >= self._threads and late < self._threads / 2


class _Noticed(NamedTuple):
    """A request, as it was noticed here: when its body was last waited for, or was whole."""

    moment: float
    is_waiting: bool
    is_late: bool


def those_of_late(
    since: Iterable[float],
    sockets: Iterable[ClientSocket],
    calls: Iterable[float],
    bodies: Iterable[float],
) -> list[ClientSocket]:
    """Of these connections for each late client the one that is its own, as far as can be told.

    The late are known by when their bodies were last waited for, and so are other ``bodies``, that
    have time left; ``calls`` by when their requests were whole. Each of them was heard last before
    that time, but for bodies of which more has come since.
    """
    noticed = [_Noticed(each, True, True) for each in since]
    noticed += [_Noticed(each, False, False) for each in calls]
    noticed += [_Noticed(each, True, False) for each in bodies]
    newest = max((each.moment for each in noticed if each.is_late), default=0.0)
    waiting = [each for each in sockets if _may_wait(each, newest)]
    whole = [each.moment for each in noticed if not each.is_waiting]
    in_time = [each.moment for each in noticed if not each.is_late]
    left = list(waiting)
    silent = _matched(left, noticed, _NOTICED_SECONDS)
    late = [each for each in noticed if each.is_late]
    moving = sum(each.is_waiting for each in noticed) - len(late)
    last = max((each.moment for each in late), default=inf)
    dripping = [each for each in left if each.heard_at > last]
    dripping.sort(key=lambda each: each.heard_at)
    found = dripping[: max(min(len(late), len(dripping) - moving), 0)]
    # Or it was not noticed for a long time, while all threads were taken.
    found += _matched(left, late[len(dripping) :], inf)
    others = [each.heard_at for each in waiting if each not in silent and each not in found]
    clear = [each for each in silent if not _is_doubtful(each.heard_at, in_time, others)]
    return clear + [each for each in found if not _is_doubtful(each.heard_at, whole, others)]


def _matched(
    left: list[ClientSocket], noticed: list[_Noticed], within_seconds: float
) -> list[ClientSocket]:
    """The connections of the late. To each connection belongs what was noticed next after it was
    heard; both are taken out."""
    found: list[ClientSocket] = []
    for client in sorted(left, key=lambda each: each.heard_at, reverse=True):
        heard_at = client.heard_at
        can_be = [
            each
            for each in noticed
            if -_SLACK_SECONDS <= each.moment - heard_at <= within_seconds
            and (not each.is_waiting or _may_wait(client, each.moment))
        ]
        if can_be:
            own = min(can_be, key=lambda each: abs(each.moment - heard_at))
            noticed.remove(own)
            left.remove(client)
            found += [client] if own.is_late else []
    return found


def _is_doubtful(heard_at: float, moments: list[float], others: list[float]) -> bool:
    """Whether a request that is not late was noticed at the same time, and can be this connection's
    as well as another's."""
    return any(abs(each - heard_at) < _SAME_TIME_SECONDS for each in moments) and any(
        abs(each - heard_at) < _SAME_TIME_SECONDS for each in others
    )


def _may_wait(client: ClientSocket, since: float) -> bool:
    """Whether it can be the one that is waited for since then: to that one nothing was sent."""
    return client.answered_at <= since + _CONTINUE_SECONDS
