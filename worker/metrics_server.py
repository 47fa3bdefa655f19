"""A port of a worker's own for Prometheus, for workers that no front shares its counts with."""

import hmac
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.metrics import Metrics
from common.settings import Settings

log = logging.getLogger(__name__)

PATH = "/metrics"
# What a client gets for its request and each write.
PATIENCE_SECONDS = 5.0


class MetricsServer:
    """Serves ``/metrics`` where the settings say; nowhere if they do not.

    With a metrics token in the settings it is asked for. What the store says is left to the
    fronts. A port that cannot be had is logged: the jobs matter more.
    """

    def __init__(self, metrics: Metrics, settings: Settings) -> None:
        self._metrics = metrics
        self._settings = settings
        self._server: _Server | None = None

    def start(self) -> None:
        host, port = self._settings.metrics_host, self._settings.metrics_port
        if not port:
            return
        try:
            self._server = _Server((host, port), self._metrics, self._settings)
        except OSError as error:
            log.error("metrics are not served: port=%d: %s", port, error.strerror)
            return
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics are served: host=%s port=%d", host, port)

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], metrics: Metrics, settings: Settings) -> None:
        super().__init__(address, _Handler)
        token = settings.metrics_token
        self.metrics = metrics
        self.expected = f"Bearer {token.get_secret_value()}".encode() if token else b""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_SECONDS

    def do_GET(self) -> None:
        given = self.headers.get("authorization", "").encode("latin-1", "replace")
        expected = self.server.expected
        if self.path.partition("?")[0] != PATH:
            self._answer(404, b"not found\n", "text/plain")
        elif expected and not hmac.compare_digest(given, expected):
            self._answer(401, b"a metrics token is needed\n", "text/plain")
        else:
            self._show()

    def _show(self) -> None:
        from common.metrics.exposition import exposition  # loaded by the workers that serve it

        body, content_type = exposition(self.server.metrics.snapshot(), self.headers.get("accept"))
        self._answer(200, body, content_type)

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("www-authenticate", "Bearer")
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "muninn"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a scrape every few seconds is no news."""
