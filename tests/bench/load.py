"""The load generator: many keep-alive connections, each with its next request as soon as it is
answered."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat

from tests.bench.answer import AnswerReader
from tests.bench.line import Line

# No answer at all for so long: those still missing are counted as errors.
PATIENCE_SECONDS = 30.0

Bodies = list[bytes]


@dataclass
class Tally:
    """What came of one run. ``rate`` is over all of it, until the last answer was there."""

    answered: int = 0
    errors: int = 0
    events: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_events: list[float] = field(default_factory=list)
    bodies: Bodies = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0


class _Caller(Line):
    """One connection of the generator."""

    def __init__(self, port: int, poll: select.epoll, keeps_body: bool) -> None:
        super().__init__(socket.create_connection(("127.0.0.1", port), timeout=30), poll)
        self.answer = AnswerReader(keeps_body)
        self.sent_at = 0.0
        self.is_waiting = False


class LoadGenerator:
    """Sends what ``next_request`` gives to a port of this machine. Whoever opens it closes it."""

    def __init__(self, port: int, connections: int, *, keeps_bodies: bool = False) -> None:
        self._port = port
        self._keeps_bodies = keeps_bodies
        self._poll = select.epoll()
        self._callers: dict[int, _Caller] = {}
        for _ in range(connections):
            self._open()

    def __enter__(self) -> "LoadGenerator":
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self._callers.values():
            caller.close()
        self._poll.close()

    def run(
        self,
        request: bytes | Callable[[], bytes],
        *,
        seconds: float = 0.0,
        total: int = 0,
        start_over_seconds: float = 0.0,
    ) -> Tally:
        """Load for some seconds, or until ``total`` requests were sent; then wait for the rest.

        The connections begin one after the other over ``start_over_seconds``.
        """
        run = _Run(self, request if callable(request) else repeat(request).__next__)
        run.began = time.perf_counter()
        run.until = run.began + seconds if seconds else float("inf")
        run.left = total or 10**12
        run.go(start_over_seconds)
        return run.tally

    def _open(self) -> "_Caller":
        caller = _Caller(self._port, self._poll, self._keeps_bodies)
        self._callers[caller.fd] = caller
        return caller

    def callers(self) -> list["_Caller"]:
        """All connections, as they are now."""
        return list(self._callers.values())

    def replace(self, caller: "_Caller") -> "_Caller":
        """A new connection for one that broke."""
        del self._callers[caller.fd]
        caller.close()
        return self._open()

    def ready(self, wait_seconds: float) -> list[tuple["_Caller", int]]:
        """The connections that can be read or written."""
        ready = self._poll.poll(wait_seconds)
        return [(self._callers[fd], event) for fd, event in ready if fd in self._callers]


class _Run:
    """One run over the connections of a generator."""

    began = until = 0.0
    left = 0

    def __init__(self, generator: LoadGenerator, next_request: Callable[[], bytes]) -> None:
        self.tally = Tally()
        self._generator = generator
        self._next_request = next_request
        self._busy = 0

    def go(self, start_over_seconds: float) -> None:
        callers = self._generator.callers()
        step = start_over_seconds / len(callers)
        starts = [(self.began + number * step, each) for number, each in enumerate(callers)]
        starts.reverse()
        heard_at = self.began
        while starts or self._busy:
            while starts and starts[-1][0] <= time.perf_counter():
                self._send(starts.pop()[1])
            pause = max(0.0, starts[-1][0] - time.perf_counter()) if starts else 1.0
            for caller, event in self._generator.ready(pause):
                heard_at = time.perf_counter()
                self._serve(caller, event)
            if time.perf_counter() - heard_at > PATIENCE_SECONDS:
                self._give_up()
        self.tally.seconds = time.perf_counter() - self.began

    def _give_up(self) -> None:
        for caller in [each for each in self._generator.callers() if each.is_waiting]:
            self._generator.replace(caller)
        self.tally.errors += self._busy
        self._busy = 0

    def _serve(self, caller: _Caller, event: int) -> None:
        if event & select.EPOLLOUT:
            caller.send_more()
        if not event & ~select.EPOLLOUT:
            return
        data = caller.receive()
        if data:
            self._read(caller, data)
        elif data is not None:
            self._broken(caller)

    def _send(self, caller: _Caller) -> None:
        now = time.perf_counter()
        if self.left <= 0 or now >= self.until:
            return
        self.left -= 1
        self._busy += 1
        caller.sent_at, caller.is_waiting = now, True
        caller.send(self._next_request())

    def _read(self, caller: _Caller, data: bytes) -> None:
        answer = caller.answer
        before = answer.events
        complete = answer.feed(data)
        if answer.events and not before:
            self.tally.first_events.append(time.perf_counter() - caller.sent_at)
        if complete:
            self._note(caller, answer)
            answer.reset()
            self._send(caller)

    def _note(self, caller: _Caller, answer: AnswerReader) -> None:
        now = time.perf_counter()
        tally = self.tally
        self._busy -= 1
        caller.is_waiting = False
        tally.events += answer.events
        tally.latencies.append(now - caller.sent_at)
        if answer.status != 200:
            tally.errors += 1
            return
        tally.answered += 1
        if answer.body:
            tally.bodies.append(answer.body)

    def _broken(self, caller: _Caller) -> None:
        fresh = self._generator.replace(caller)
        if caller.is_waiting:
            self.tally.errors += 1
            self._busy -= 1
            self._send(fresh)
