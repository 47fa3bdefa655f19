"""The WSGI application that a server loads: built from the environment, once per process."""

import logging
import sys

from flask import Flask

from api.app import create_app
from api.slow_clients import SlowClientWatch
from common.bootstrap import build_services
from common.logs import set_up_logging
from common.settings import Settings, load_settings
from common.tracing import start_tracing

log = logging.getLogger(__name__)

# Every thread that waits for the interpreter wakes up this often to ask for it. With Python's
# 5 ms, hundreds of busy threads do little else; a thread that calls or writes lets go by itself.
SWITCH_INTERVAL_SECONDS = 0.05


def application() -> Flask:
    """The app; the factory that the server calls."""
    settings = load_settings()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    set_up_logging(settings)
    try:
        return _front(settings)
    except Exception:
        log.exception("the front cannot start")  # the server would print it past the log
        sys.exit(1)


def _front(settings: Settings) -> Flask:
    start_tracing(settings, "front")
    services = build_services(settings)
    services.keyring.start()
    services.usage.start()
    SlowClientWatch(settings.port, settings.client_timeout_seconds, settings.front_threads).start()
    return create_app(services)
