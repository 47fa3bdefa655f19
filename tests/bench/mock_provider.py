"""A provider that costs next to nothing: ``python -m tests.bench.mock_provider PORT``.

It answers every request as the order in its body says, from bytes that are made beforehand.
``GET /stats`` tells what it has served.
"""

import heapq
import json
import resource
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import lru_cache

from tests.bench.line import Line
from tests.bench.payloads import Order, answer_body, order_in, stream_events

BACKLOG = 4096
_HEAD = (
    "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nx-request-id: req_bench\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n{framing}\r\n\r\n"
)


@lru_cache(maxsize=64)
def whole_answer(size: int) -> bytes:
    body = answer_body(size)
    return (
        _HEAD.format(kind="application/json", framing=f"content-length: {len(body)}").encode()
        + body
    )


@lru_cache(maxsize=64)
def stream_parts(events: int, is_burst: bool) -> list[bytes]:
    """The writes of a stream: each event as a chunk of its own, all in one write for a burst."""
    head = _HEAD.format(kind="text/event-stream", framing="transfer-encoding: chunked").encode()
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events(events)]
    chunks[0] = head + chunks[0]
    chunks[-1] += b"0\r\n\r\n"
    return [b"".join(chunks)] if is_burst else chunks


class Visitor(Line):
    """One connection to the mock, with what has come of its next request."""

    pending = b""
    is_served = False

    def next_body(self, data: bytes) -> bytes | None:
        """The body of the request if it is whole now (its head for a GET)."""
        self.pending = data = self.pending + data if self.pending else data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        if data.startswith(b"GET"):
            self.pending = b""
            return data
        head = data[: end + 2].lower()
        at = head.find(b"content-length:") + 15
        size = int(head[at : head.find(b"\r", at)])
        if len(data) < end + 4 + size:
            return None
        self.pending = data[end + 4 + size :]
        return data[end + 4 : end + 4 + size]


class MockProvider:
    """One thread, one epoll loop, a heap of what is due later."""

    def __init__(self, port: int) -> None:
        self._poll = select.epoll()
        self._server = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self._server.setblocking(False)
        self._poll.register(self._server.fileno(), select.EPOLLIN)
        self._visitors: dict[int, Visitor] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._calls = self._in_flight = self._most_in_flight = 0

    def serve(self) -> None:
        """Serve until the process is ended."""
        while True:
            for fd, event in self._poll.poll(self._pause_seconds()):
                visitor = self._visitors.get(fd)
                if visitor is None:
                    self._accept()
                elif event & select.EPOLLOUT:
                    visitor.send_more()
                else:
                    self._read(visitor)
            while self._due and self._due[0][0] <= time.perf_counter():
                heapq.heappop(self._due)[2]()

    def _pause_seconds(self) -> float:
        return max(0.0, self._due[0][0] - time.perf_counter()) if self._due else -1

    def _accept(self) -> None:
        try:
            while True:
                visitor = Visitor(self._server.accept()[0], self._poll)
                self._visitors[visitor.fd] = visitor
        except BlockingIOError:
            return

    def _read(self, visitor: Visitor) -> None:
        data = visitor.receive()
        if data is None:
            return
        if not data:
            self._leave(visitor)
        elif (body := visitor.next_body(data)) is not None:
            self._take(visitor, body)

    def _take(self, visitor: Visitor, body: bytes) -> None:
        if body.startswith(b"GET"):
            visitor.send(self._stats())
        else:
            self._answer(visitor, order_in(body))

    def _leave(self, visitor: Visitor) -> None:
        if visitor.is_served:
            self._ended(visitor)
        del self._visitors[visitor.fd]
        visitor.close()

    def _answer(self, visitor: Visitor, order: Order) -> None:
        visitor.is_served = True
        self._calls += 1
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        parts = (
            stream_parts(order.events, not order.gap_ms)
            if order.events
            else [whole_answer(order.size)]
        )
        if order.delay_ms:
            self._later(order.delay_ms, lambda: self._send(visitor, parts, 0, order.gap_ms))
        else:
            self._send(visitor, parts, 0, order.gap_ms)

    def _send(self, visitor: Visitor, parts: list[bytes], index: int, gap_ms: int) -> None:
        if not visitor.is_served:
            return
        visitor.send(parts[index])
        if index + 1 == len(parts):
            self._ended(visitor)
        else:
            self._later(gap_ms, lambda: self._send(visitor, parts, index + 1, gap_ms))

    def _ended(self, visitor: Visitor) -> None:
        visitor.is_served = False
        self._in_flight -= 1

    def _later(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (time.perf_counter() + delay_ms / 1000, self._number, action))

    def _stats(self) -> bytes:
        used = resource.getrusage(resource.RUSAGE_SELF)
        stats = {
            "calls": self._calls,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            "cpu_seconds": used.ru_utime + used.ru_stime,
        }
        self._most_in_flight = self._in_flight
        body = json.dumps(stats).encode()
        return (
            _HEAD.format(kind="application/json", framing=f"content-length: {len(body)}").encode()
            + body
        )


if __name__ == "__main__":
    MockProvider(int(sys.argv[1])).serve()
