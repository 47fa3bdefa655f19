"""What a provider is: something that answers a Responses API request, whole or as a stream."""

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from common.errors import CallAborted
from common.sse import SseEvent


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request as the provider shall get it.

    ``body`` is the JSON object to send, with the provider's own model name in it and without
    anything that is meant for the gateway alone; the provider adds only ``stream``.
    ``attempt`` counts from 1 for jobs, and is 0 for calls that are not jobs.
    """

    model: str
    body: dict[str, Any]
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """A whole answer: a JSON object, parsed, and the bytes it came as.

    ``headers`` holds, in lower case, only the headers that are passed on to clients.
    """

    body: dict[str, Any]
    raw: bytes
    headers: dict[str, str] = field(default_factory=dict)


# Events that came together. An empty batch stands for a silence.
Batch = Sequence[SseEvent]


class ProviderStream(Protocol):
    """A stream of events, in batches; an empty one stands for a silence of ``silence_seconds``.

    Handing on what came together as one is what makes a burst of events cheap. Iterating raises
    ProviderInvalidAnswer when the provider cuts the stream before its terminal event,
    ProviderTimeout when it stays silent for longer than its read timeout, and CallAborted after
    UpstreamCall.abort. Whoever opens a stream closes it; closing twice is harmless.
    """

    headers: dict[str, str]

    def __iter__(self) -> Iterator[Batch]: ...

    def close(self) -> None: ...


class Provider(Protocol):
    """A named upstream. All methods raise ProviderFailure or CallAborted, nothing else."""

    name: str

    def create(self, request: ProviderRequest, call: "UpstreamCall") -> ProviderAnswer: ...

    def stream(self, request: ProviderRequest, call: "UpstreamCall") -> ProviderStream:
        """Open a stream; errors before the first event are raised here, not while iterating."""
        ...


@runtime_checkable
class TakesKeys(Provider, Protocol):
    """A provider that can be asked with another key than its own, if it has one."""

    @property
    def has_key(self) -> bool: ...

    def with_key(self, key: str) -> Provider: ...


class UpstreamCall:
    """One call in flight, which any thread may end by ``abort``.

    The provider attaches the socket it waits on; abort shuts that socket down, which wakes the
    waiting thread at once. Providers without a socket wait with ``sleep`` instead.
    """

    def __init__(self, silence_seconds: float = 15.0) -> None:
        self.silence_seconds = silence_seconds
        self.reason: str | None = None
        # Which of its provider's keys it was begun with, where there are several.
        self.key_place: int | None = None
        self._aborted = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def abort(self, reason: str) -> None:
        """End the call; only the first reason counts."""
        with self._lock:
            if self.reason is None:
                self.reason = reason
            self._aborted.set()
            _shut_down(self._socket)

    def attach(self, sock: socket.socket | None) -> None:
        """Name the socket to shut down on abort; None when the call has let go of it."""
        with self._lock:
            self._socket = sock
            if sock is not None and self._aborted.is_set():
                _shut_down(sock)
        if sock is not None:
            self.check()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise CallAborted as soon as the call is aborted."""
        self._aborted.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raise CallAborted if the call was aborted."""
        if self._aborted.is_set():
            raise CallAborted(self.reason or "aborted")


def _shut_down(sock: socket.socket | None) -> None:
    if sock is None:
        return
    try:
        # The base class's method: SSLSocket.shutdown would pull the TLS object from under the
        # thread that is reading from it.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # already closed by the other side
