"""The WSGI application that a server loads: built from the environment, once per process."""

import sys

from flask import Flask

from api.app import create_app
from common.bootstrap import build_services
from common.logs import set_up_logging
from common.settings import load_settings

# Every thread that waits for the interpreter wakes up this often to ask for it. With Python's
# 5 ms, hundreds of busy threads do little else; a thread that calls or writes lets go by itself.
SWITCH_INTERVAL_SECONDS = 0.05


def application() -> Flask:
    """The app; the factory that the server calls."""
    settings = load_settings()
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    set_up_logging(settings.log_level)
    services = build_services(settings)
    services.keyring.start()
    return create_app(services)
