"""``GET /v1/usage``: what was used, by day and key."""

from api.auth import identify
from api.incoming import Incoming
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.errors import InvalidValue
from common.store.usage import KEPT_DAYS, UsageStore
from common.usage_rows import usage_rows

DEFAULT_DAYS = 7
MOST_DAYS = KEPT_DAYS


def show(services: Services, incoming: Incoming) -> Reply:
    """The caller's own usage; for an admin, and where no key is needed, that of all."""
    caller, days = identify(services, incoming), _days(incoming.query().get("days"))
    owner = None if caller.is_admin or caller.key is None else caller.owner
    usage = UsageStore(services.store).of_last(days, owner)
    return json_reply({"object": "list", "data": usage_rows(usage, services.keyring.name_of)})


def _days(text: str | None) -> int:
    """Raises InvalidValue for a number that is out of bounds."""
    if text is None:
        return DEFAULT_DAYS
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_DAYS))
    if not (is_number and 1 <= int(text) <= MOST_DAYS):
        raise InvalidValue(f"days takes 1 to {MOST_DAYS}.", param="days")
    return int(text)
