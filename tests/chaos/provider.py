"""A provider that counts its calls by job: ``python -m tests.chaos.provider PORT``.

A process of its own, so that nothing that happens to Muninn happens to it. The request's ``input``
says which job it is and what to do; ``GET /calls`` tells all that was seen.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from tests.chaos.plan import FLAKY, REFUSED, STREAMED
from tests.support.upstream import answer, chunk, head, json_answer

WORKER_HEADER = "x-chaos-worker"
PIECES = 4


@dataclass
class Call:
    """A call as the provider saw it; times are those of ``time.monotonic``."""

    number: int
    job: str
    worker: str
    started: float
    ended: float | None = None
    outcome: str = "open"


@dataclass
class Book:
    """All calls, and how many each job has made."""

    calls: list[Call] = field(default_factory=list)
    by_job: Counter[str] = field(default_factory=Counter)

    def open(self, job: str, worker: str) -> Call:
        self.by_job[job] += 1
        call = Call(len(self.calls) + 1, job, worker, time.monotonic())
        self.calls.append(call)
        return call


class ClientLeft(Exception):
    """The worker closed the connection of a call, or died."""


class Server:
    """Speaks just enough HTTP/1.1."""

    def __init__(self) -> None:
        self.book = Book()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                await self._answer(*request, reader, writer)
        except (ConnectionError, ClientLeft):
            pass
        finally:
            writer.close()

    async def _answer(
        self,
        line: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        if line.startswith("GET"):
            writer.write(answer(json.dumps([asdict(call) for call in self.book.calls]).encode()))
            await writer.drain()
            return
        asked = json.loads(json.loads(body)["input"])
        call = self.book.open(asked["job"], headers.get(WORKER_HEADER, "front"))
        try:
            call.outcome = await self._respond(call, asked, reader, writer)
        except (ConnectionError, ClientLeft):
            call.outcome = "left"
            raise
        finally:
            call.ended = time.monotonic()

    async def _respond(
        self,
        call: Call,
        asked: dict[str, object],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> str:
        how, seconds = str(asked["how"]), float(str(asked["seconds"]))
        if how == STREAMED:
            await _stream(call, seconds, reader, writer)
            return "answered"
        await _hold(seconds, reader)
        status = _status(how, self.book.by_job[call.job])
        writer.write(json_answer(response_of(call) if status == 200 else ERROR, status=status))
        await writer.drain()
        return "answered" if status == 200 else f"answered {status}"


ERROR = {"error": {"type": "chaos", "code": "asked_for", "message": "as it was asked for"}}


def _status(how: str, calls: int) -> int:
    if how == FLAKY and calls == 1:
        return 500
    return 400 if how == REFUSED else 200


def response_of(call: Call) -> dict[str, object]:
    """A response that tells from which call it came."""
    text = {"type": "output_text", "text": f"{call.job} {call.number}", "annotations": []}
    message = {
        "type": "message",
        "id": f"msg_{call.number}",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": f"resp_{call.number}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": "m",
        "output": [message],
    }


async def _stream(
    call: Call, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The same as events, though nobody asked: some servers do."""
    writer.write(head({"content-type": "text/event-stream", "transfer-encoding": "chunked"}))
    for number in range(PIECES):
        writer.write(chunk(_event("response.output_text.delta", {"delta": str(number)})))
        await writer.drain()
        await _hold(seconds / PIECES, reader)
    writer.write(chunk(_event("response.completed", {"response": response_of(call)})) + chunk(b""))
    await writer.drain()


def _event(name: str, fields: dict[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


async def _hold(seconds: float, reader: asyncio.StreamReader) -> None:
    """Wait, or raise ClientLeft as soon as the client has left."""
    with_patience = asyncio.wait_for(reader.read(1), seconds)
    try:
        if await with_patience == b"":
            raise ClientLeft
    except TimeoutError:
        return


async def _read_request(
    reader: asyncio.StreamReader,
) -> tuple[str, dict[str, str], bytes] | None:
    try:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    except asyncio.IncompleteReadError:
        return None
    pairs = (text.partition(":") for text in lines if text)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return line, headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def main(port: int) -> None:
    server = await asyncio.start_server(Server().serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
