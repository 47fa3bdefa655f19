"""The HTTP server under the front."""

import logging
import math
import multiprocessing
from multiprocessing.synchronize import Event
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from api.stopping import SPEAKER, StopHeard, obey_signals
from common.logs import set_up_logging
from common.open_files import allow_open_files
from common.settings import Settings

# Connections beyond those being served that wait in line instead of being refused.
BACKLOG = 4096
# Connections beyond those being served that are open: idle ones, and those still sending heads.
# They take no thread, so a crowd of silent ones keeps nobody out.
SPARE_CONNECTIONS = 4096
# What a client gets to send a request's head; as an idle connection is closed after it too, it is
# longer than the minute after which load balancers close theirs.
HEAD_SECONDS = 75
# Of a request's head; the server reads on to the next power of two before it says no.
MAX_HEAD_BYTES = 64 * 1024


def serve(settings: Settings) -> None:
    """Serve until a signal says stop.

    A call or stream in flight takes a thread, so there are as many threads as calls promised. On
    the first signal no new connections are taken and calls in flight get the grace period; on
    a second one none.
    """
    set_up_logging(settings)
    allow_open_files()
    stop_heard = multiprocessing.Event()
    server = Granian(
        "api.wsgi:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.front_threads,
        backpressure=settings.front_threads + SPARE_CONNECTIONS,
        backlog=BACKLOG,
        # HTTP/2 without TLS is what nobody uses, and while the server guesses which of the two a
        # silent client will speak, it waits for it for ever.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEAD_SECONDS * 1000, max_buffer_size=MAX_HEAD_BYTES
        ),
        websockets=False,
        log_level=LogLevels(settings.log_level),
        log_dictconfig=_logging(stop_heard, settings.log_level),
        workers_kill_timeout=max(1, math.ceil(settings.shutdown_grace_seconds)),
        respawn_failed_workers=True,
    )
    server.on_startup(lambda: obey_signals(stop_heard))
    server.serve()


class _Irrelevant(logging.Filter):
    """Leaves out the advice against many threads: they wait for providers, not for processors."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads" not in record.getMessage()


def _logging(stop_heard: Event, level: str) -> dict[str, Any]:
    """Granian's lines go where ours go and look like them."""
    stop: dict[str, Any] = {
        "()": StopHeard,
        "heard": stop_heard,
        "level": logging.getLevelName(level.upper()),
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"irrelevant": {"()": _Irrelevant}, "stop": stop},
        "formatters": {},
        "handlers": {},
        "loggers": {
            "_granian": {"handlers": [], "filters": ["irrelevant"], "propagate": True},
            SPEAKER: {"level": "INFO", "filters": ["stop"], "propagate": True},
            "granian.access": {"handlers": [], "propagate": True},
        },
    }
