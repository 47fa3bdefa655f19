"""A collector of OpenTelemetry spans: OTLP over HTTP on loopback, kept in memory."""

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Collected:
    """One span as it came. Ids are hexadecimal; ``parent`` is empty for the first of a trace."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    service: str
    failed: bool
    attributes: dict[str, Any]
    events: list[str] = field(default_factory=list)


class Collector:
    """The server, as a context manager; ``raw`` is everything it was ever sent."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._lock = threading.Lock()
        self._spans: list[Collected] = []
        self.raw = b""

    @property
    def env(self) -> dict[str, str]:
        """The standard variables that lead a process here, with short waits."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def spans(self) -> list[Collected]:
        with self._lock:
            return list(self._spans)

    def wait_for(self, name: str, count: int = 1) -> list[Collected]:
        """The spans of this name, as soon as there are so many."""

        def found() -> list[Collected]:
            spans = [span for span in self.spans() if span.name == name]
            return spans if len(spans) >= count else []

        return wait_until(found, f"{count} spans {name!r} have come")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        spans = [
            _collected(span, resource.resource)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self.raw += body
            self._spans += spans

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_coded = self.headers.get("content-encoding") == "gzip"
                take(gzip.decompress(body) if is_coded else body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Tests are quiet."""

        return Handler


def _collected(span: Any, resource: Any) -> Collected:
    return Collected(
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        service=_attributes(resource.attributes)["service.name"],
        failed=span.status.code == 2,
        attributes=_attributes(span.attributes),
        events=[event.name for event in span.events],
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
