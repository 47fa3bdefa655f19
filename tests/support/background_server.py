"""A provider with a background mode of its own, which counts the calls that are paid for.

The model's name says how long it works: ``m-2.5`` takes that many seconds. It repeats the input.
"""

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from common.providers.events import events_of
from tests.support.vendor import MESSAGE, PART, RESPONSE


@dataclass
class Work:
    """One response in the making."""

    id: str
    body: dict[str, Any]
    seconds: float
    started: float = field(default_factory=time.monotonic)
    cancelled: bool = False

    @property
    def is_done(self) -> bool:
        return self.cancelled or time.monotonic() - self.started >= self.seconds

    def response(self) -> dict[str, Any]:
        shown = {**RESPONSE, "id": self.id, "background": True}
        if self.cancelled:
            return {**shown, "status": "cancelled", "output": []}
        if not self.is_done:
            return {**shown, "status": "in_progress", "output": [], "completed_at": None}
        return self.final()

    def final(self) -> dict[str, Any]:
        part = {**PART, "text": self.body["input"]}
        message = {**MESSAGE, "id": f"msg_{self.id}", "content": [part]}
        return {**RESPONSE, "id": self.id, "background": True, "output": [message]}

    def events(self) -> list[tuple[float, dict[str, Any]]]:
        """Each event and when it is due."""
        events = list(events_of(self.final()))
        step = self.seconds / (len(events) - 1)
        return [(self.started + step * place, event) for place, event in enumerate(events)]


class BackgroundServer:
    """The server, as a context manager. ``paid`` are the inputs of the calls that cost money,
    ``keys`` what was done, with which key."""

    def __init__(self) -> None:
        self.works: dict[str, Work] = {}
        self.paid: list[str] = []
        self.plain: list[str] = []
        self.cancels: list[str] = []
        self.keys: list[tuple[str, str]] = []
        self.streams_opened = 0
        self.retrieves = 0
        self.retrieves_to_fail = 0
        self.cut_streams_after: list[int] = []
        self._ids = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def submit(self, body: dict[str, Any]) -> Work:
        work = Work(f"resp_up_{next(self._ids)}", body, float(body["model"].partition("-")[2]))
        self.works[work.id] = work
        self.paid.append(body["input"])
        if not body.get("background"):
            self.plain.append(body["input"])
        return work

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler_of(server: BackgroundServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            path = urlsplit(self.path).path
            self._note("cancel" if path.endswith("/cancel") else "submit")
            if path.endswith("/cancel"):
                work = server.works[path.split("/")[-2]]
                server.cancels.append(work.id)
                work.cancelled = True
                self._answer(work.response())
                return
            work = server.submit(json.loads(body))
            if work.body["stream"]:
                self._stream(work, -1)
                return
            if not work.body.get("background"):
                time.sleep(work.seconds)
            self._answer(work.response())

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._note("retrieve")
            work = server.works.get(parts.path.split("/")[-1])
            server.retrieves += 1
            if work is None:
                self._answer({"error": {"message": "gone", "code": "not_found"}}, 404)
            elif server.retrieves_to_fail > 0:
                server.retrieves_to_fail -= 1
                self._answer({"error": {"message": "busy"}}, 503)
            elif parse_qs(parts.query).get("stream") == ["true"]:
                after = int(parse_qs(parts.query).get("starting_after", ["-1"])[0])
                self._stream(work, after)
            else:
                self._answer(work.response())

        def _note(self, verb: str) -> None:
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            server.keys.append((verb, key))

        def _answer(self, value: Any, status: int = 200) -> None:
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, work: Work, after: int) -> None:
            server.streams_opened += 1
            cut_after = server.cut_streams_after.pop(0) if server.cut_streams_after else None
            self.close_connection = True
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            sent = 0
            for due_at, event in work.events():
                if event["sequence_number"] <= after:
                    continue
                while not work.cancelled and time.monotonic() < due_at:
                    time.sleep(min(0.02, max(due_at - time.monotonic(), 0)))
                if work.cancelled or sent == cut_after:
                    return
                try:
                    self.wfile.write(
                        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
                    )
                except OSError:
                    return
                sent += 1

    return Handler
