"""What a web page of somebody else could make a browser ask of an open gateway.

A browser sends a page's request to any address that its user can reach, this machine's own
included, and without asking first if it looks like a form's. The page cannot read the answer, but
the call was made and paid for. And a page whose host name is pointed at 127.0.0.1 after it was
loaded (DNS rebinding) could read the answers as well. Where a key is needed neither can happen:
a page has none, and browsers ask first for headers that carry one.
"""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from api.incoming import Incoming
from common.errors import PermissionDenied
from common.setting_types import is_loopback
from common.settings import Settings

# https://www.w3.org/TR/fetch-metadata/ and https://www.rfc-editor.org/rfc/rfc6454
HOST, ORIGIN, FETCH_SITE = "host", "origin", "sec-fetch-site"
_OWN_SITES = ("same-origin", "none")


def refuse_foreign_pages(incoming: Incoming, settings: Settings) -> None:
    """Raise PermissionDenied for a request that a page of another origin had a browser send, and,
    where the gateway listens on loopback alone or its names are set, for one that calls it by a
    name it may not have."""
    host = incoming.header(HOST) or ""
    names = settings.allowed_hosts
    if (names or is_loopback(settings.host)) and not _is_own_name(host, names):
        raise PermissionDenied(
            "An open gateway is called by address, as localhost, or by a name in "
            "MUNINN_ALLOWED_HOSTS; the Host header has another.",
            param=HOST,
        )
    site, origin = incoming.header(FETCH_SITE), incoming.header(ORIGIN)
    if site is None and origin is None:
        return  # no browser
    is_own = site in _OWN_SITES if site is not None else (origin or "").partition("://")[2] == host
    if not is_own:
        raise PermissionDenied(
            "An open gateway takes no requests from web pages of another origin.", param=ORIGIN
        )


@lru_cache(maxsize=64)
def _is_own_name(host: str, allowed: str) -> bool:
    """Whether nobody else can have a name point here: addresses, names without a dot, localhost
    and what is below it, and those that were allowed."""
    name = _name_of(host)
    if name is None:
        return False
    if "." not in name or name.endswith(".localhost") or _is_address(name):
        return True
    return any(each.strip().lower() in (name, "*") for each in allowed.split(","))


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port; None where it is no such thing."""
    try:
        parts = urlsplit(f"//{host}")
        is_plain = parts.netloc == host and parts.username is None and parts.port != 0
        return (parts.hostname or "") if is_plain else None
    except ValueError:
        return None  # no port, or half an IPv6 address


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
