"""The WSGI application that a server loads: built from the environment, once per process."""

from flask import Flask

from api.app import create_app
from common.bootstrap import build_services
from common.logs import set_up_logging
from common.settings import load_settings


def application() -> Flask:
    """The app; the factory that the server calls."""
    settings = load_settings()
    set_up_logging(settings.log_level)
    return create_app(build_services(settings))
