"""``GET /metrics``: what Prometheus scrapes, and who may."""

import hmac

from api.auth import identify, unauthenticated
from api.headers import credential
from api.incoming import Incoming
from api.permissions import check_admin
from api.reply import Reply
from common.bootstrap import Services
from common.metrics.exposition import exposition


def show(services: Services, incoming: Incoming) -> Reply:
    """All that is counted, in the format that the scraper accepts. Never fails for the store."""
    _check_scraper(services, incoming)
    stored = (services.store_watch.state(), services.settings.max_queued_jobs)
    body, content_type = exposition(services.metrics.snapshot(), incoming.header("accept"), stored)
    return Reply(200, body, {"cache-control": "no-store"}, content_type)


def _check_scraper(services: Services, incoming: Incoming) -> None:
    """Let in who has the metrics token, or an admin key; where neither is configured everybody.

    The token is looked at first: it is good also while the store, and the keys in it, are away.
    """
    token = services.settings.metrics_token
    if token is not None and _is_shown(token.get_secret_value(), incoming):
        return
    caller = identify(services, incoming)
    check_admin(caller)
    if token is not None and caller.key is None:
        raise unauthenticated()


def _is_shown(token: str, incoming: Incoming) -> bool:
    given = credential(incoming) or ""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())
