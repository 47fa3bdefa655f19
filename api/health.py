"""Whether the front lives, whether it is of use, and which version it is."""

from api.incoming import Incoming
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.errors import ServiceUnavailable
from common.version import version as muninn_version


def alive(services: Services, incoming: Incoming) -> Reply:
    """``GET /healthz``: the process answers. Looks at nothing else."""
    return json_reply({"status": "ok"})


def ready(services: Services, incoming: Incoming) -> Reply:
    """``GET /readyz``: 503 names the dependency that is down. Without Redis jobs do not work,
    while inline calls and streams do."""
    try:
        services.store.ping()
    except ServiceUnavailable:
        return json_reply({"status": "unavailable", "redis": "down"}, 503)
    return json_reply({"status": "ok", "redis": "ok"})


def version(services: Services, incoming: Incoming) -> Reply:
    """``GET /version``."""
    return json_reply({"name": "muninn", "version": muninn_version()})
