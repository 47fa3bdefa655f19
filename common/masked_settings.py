"""The settings as they may be shown: every secret masked. Pure."""

import re
from typing import Any

from common.settings import Settings

STARS = "**********"
# Up to the last @: a password may hold one itself, and too many stars are better than too few.
PASSWORD_IN_URL = re.compile(r"(://[^:/@?#\s]*:).*@", re.DOTALL)
# Where no password follows, the user's name may be a token.
USER_IN_URL = re.compile(r"(https?://)[^:/@?#\s]+@", re.IGNORECASE)
SECRET_IN_QUERY = re.compile(
    r"([?&][^=&#]*(?:pass|key|token|secret|sig)[^=&#]*=)[^&#]*", re.IGNORECASE
)


def masked(settings: Settings) -> dict[str, Any]:
    """The effective settings as JSON-ready values, every secret masked. Pure."""
    shown: dict[str, Any] = settings.model_dump(mode="json")
    for field in ("redis_url", "broker_url"):
        shown[field] = mask_url(shown[field])
    for row in shown["providers"].values():
        row["base_url"] = mask_url(row["base_url"])
        row["headers"] = dict.fromkeys(row["headers"], STARS)
    for row in shown["keys"].values():
        row["hash"] = STARS
    for row in shown["webhooks"].values():
        row["url"] = mask_url(row["url"])
    return shown


def mask_url(url: str) -> str:
    """The URL with its passwords, before the ``@`` or in the query, replaced by stars."""
    without = USER_IN_URL.sub(r"\1***@", PASSWORD_IN_URL.sub(r"\1***@", url))
    return SECRET_IN_QUERY.sub(r"\1***", without)
