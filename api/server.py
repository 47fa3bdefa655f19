"""The HTTP server under the front."""

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from common.settings import Settings

# Connections beyond those being served that wait in line instead of being refused.
BACKLOG = 4096
# What a stopping server gives the calls in flight; a stream can be resumed, a call repeated.
STOP_SECONDS = 30


def serve(settings: Settings) -> None:
    """Serve until a signal says stop.

    A call or stream in flight takes a thread, so there are as many threads as calls promised.
    """
    Granian(
        "api.wsgi:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.front_threads,
        backpressure=settings.front_threads,
        backlog=BACKLOG,
        websockets=False,
        log_level=LogLevels(settings.log_level),
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
    ).serve()
