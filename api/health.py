"""Whether the front lives, whether it is of use, and which version it is."""

from api.incoming import Incoming
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.readiness import OK
from common.version import version as muninn_version


def alive(services: Services, incoming: Incoming) -> Reply:
    """``GET /healthz``: the process answers. Looks at nothing else."""
    return json_reply({"status": "ok"})


def ready(services: Services, incoming: Incoming) -> Reply:
    """``GET /readyz``: 503 names what is down. Without it jobs do not work, while inline calls and
    streams do."""
    checks = services.readiness.results()
    are_up = all(check["status"] == OK for check in checks.values())
    # "redis" is what this answer said before it had checks.
    body = {
        "status": "ok" if are_up else "unavailable",
        "redis": checks["store"]["status"],
        "checks": checks,
    }
    return json_reply(body, 200 if are_up else 503)


def version(services: Services, incoming: Incoming) -> Reply:
    """``GET /version``."""
    return json_reply({"name": "muninn", "version": muninn_version()})
