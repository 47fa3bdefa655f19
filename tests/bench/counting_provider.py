"""A provider that takes a fixed time for each call and remembers for whom it worked, and when."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_ANSWER = json.dumps(
    {"id": "resp_1", "object": "response", "status": "completed", "output": []}
).encode()


@dataclass(frozen=True, slots=True)
class Call:
    """One call: whose it was (from the request's metadata), and its times in seconds."""

    key: str
    is_job: bool
    began: float
    ended: float


class CountingProvider:
    """Serves in a thread of its own while it is entered."""

    def __init__(self, call_seconds: float) -> None:
        self.calls: list[Call] = []
        self.port = 0
        self._call_seconds = call_seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port = started.result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _start(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = await _body(reader)
                began = time.monotonic()
                await asyncio.sleep(self._call_seconds)
                # A call has ended when its answer leaves: the next may be here before it was read.
                whose = json.loads(body)["metadata"]
                is_job = whose["kind"] == "job"
                self.calls.append(Call(whose["key"], is_job, began, time.monotonic()))
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(_ANSWER)}\r\n"
                writer.write(head.encode() + b"content-type: application/json\r\n\r\n" + _ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def _body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))


def most_at_once(calls: list[Call]) -> int:
    """How many of the calls were on their way at one time, at most."""
    changes = [(call.began, 1) for call in calls] + [(call.ended, -1) for call in calls]
    now = most = 0
    for _, change in sorted(changes):  # one that ends in the moment another begins is over
        now += change
        most = max(most, now)
    return most


def most_within(calls: list[Call], seconds: float) -> int:
    """How many of the calls began in one span of so many seconds, at most."""
    begins = sorted(call.began for call in calls)
    return max(
        (sum(start <= other < start + seconds for other in begins) for start in begins), default=0
    )
