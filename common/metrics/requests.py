"""What is counted of requests: how many, how long, and how much of it was ours."""

import threading
from time import perf_counter
from typing import Literal

from common.errors import RateLimited
from common.metrics import definitions as d
from common.metrics.cells import Cells, HistogramRows, Rows

StreamKind = Literal["inline", "job"]

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_CLASSES = {number: f"{number}xx" for number in range(1, 6)}
_OTHER = "other"


class ProviderTime(threading.local):
    """How long the request in this thread has spent on calls to providers (seconds), and of which
    kind the last was; None when there was no call."""

    kind: str | None = None
    seconds: float = 0.0

    def spend(self, kind: str, seconds: float) -> None:
        """A call took so long; of a request with fallbacks it may not be the first."""
        self.seconds = seconds if self.kind is None else self.seconds + seconds
        self.kind = kind


class RequestMetrics:
    """Requests and streams of a front."""

    def __init__(self, cells: Cells, provider_time: ProviderTime) -> None:
        self._provider_time = provider_time
        self._seconds = HistogramRows(cells, d.REQUEST_SECONDS)
        self._overhead = HistogramRows(cells, d.OVERHEAD_SECONDS)
        self._limited = Rows(cells, d.RATE_LIMITED)
        self._streams = Rows(cells, d.STREAMS_IN_FLIGHT)
        self._stream_seconds = HistogramRows(cells, d.STREAM_SECONDS)

    def asked(self) -> float:
        """A request came; what is returned is for ``answered``, in the same thread."""
        self._provider_time.kind = None
        return perf_counter()

    def answered(self, route: str, method: str, status: int, asked_at: float) -> None:
        """The answer is ready to be sent."""
        seconds = perf_counter() - asked_at
        method = method if method in METHODS else _OTHER
        self._seconds[route, method, _CLASSES.get(status // 100, _OTHER)].observe(seconds)
        time = self._provider_time
        if time.kind is not None:
            self._overhead[time.kind,].observe(max(0.0, seconds - time.seconds))

    def refused(self, error: Exception) -> None:
        """A request is answered with this error."""
        if isinstance(error, RateLimited):
            self._limited[error.code or _OTHER,].add()

    def stream_opened(self, kind: StreamKind) -> float:
        """A stream begins; what is returned is for ``stream_closed``."""
        self._streams[kind,].add()
        return perf_counter()

    def stream_closed(self, kind: StreamKind, opened_at: float) -> None:
        """It has ended, or its client left."""
        self._streams[kind,].add(-1.0)
        self._stream_seconds[kind,].observe(perf_counter() - opened_at)
