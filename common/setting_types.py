"""What values settings take. What is wrong is said without the value: it may be a secret. Pure.

Bounds are far beyond what anybody means, and within what sockets, threads and the numbers of Redis
can take: beyond them a process would not fail at its start, but some time later.
"""

import os
import re
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, Field, SecretStr

_WEEK = 7 * 86_400
_TEN_YEARS = 3650 * 86_400

# Of each kind of URL the options that both the store's client and Celery understand.
_TLS_OPTIONS = {
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
}
_STORE_OPTIONS: dict[str, set[str]] = {
    "redis": set(),
    "rediss": _TLS_OPTIONS,
    "unix": {"db"},
    "redis+sentinel": {"master"},
    "redis+cluster": set(),
}
# Celery cannot use a cluster.
_BROKERS = ("amqp", "amqps", "redis", "rediss", "unix", "redis+sentinel")
_CERTIFICATE_CHECKS = ("required", "optional", "none")

_TOKEN = re.compile(r"[!-~]+")
_HOST_NAME = re.compile(r"(?!.*\.\.)[a-z0-9_][a-z0-9_.-]{0,252}", re.IGNORECASE)


def checked_store_url(url: str) -> str:
    """A URL of the job store."""
    if "://" not in url:
        raise ValueError("must be a URL such as redis://host:6379/0 or rediss://…")
    _check_url(url, tuple(_STORE_OPTIONS))
    return url


def checked_broker_url(url: str) -> str:
    """A URL of Celery's broker, or nothing."""
    if url and "://" not in url:
        raise ValueError("must be a URL such as amqp://host:5672//")
    if url:
        _check_url(url, _BROKERS)
    return url


def checked_address(host: str) -> str:
    """An address to listen on; ``localhost`` is the one of IPv4."""
    try:
        return str(ip_address("127.0.0.1" if host.lower() == "localhost" else host))
    except ValueError:
        raise ValueError("must be an address of this machine, such as 127.0.0.1 or ::") from None


@lru_cache(maxsize=8)
def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return ip_address(address).is_loopback


def checked_host_names(names: str) -> str:
    """Host names with commas between, or ``*``."""
    given = [name.strip() for name in names.split(",")]
    if names and not all(name == "*" or _HOST_NAME.fullmatch(name) for name in given):
        raise ValueError(
            "must be names such as gateway.example.com, with commas between, without a port, or *"
        )
    return names


def checked_folder(folder: Path) -> Path:
    """A folder that this process can write in, or can make."""
    try:
        # Not made here: the settings are read also by those who only look at them.
        known = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        is_good = known.is_dir() and os.access(known, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        is_good = False
    if not is_good:
        raise ValueError("must be a folder that this process can write in, or can make")
    return folder


def checked_token(token: SecretStr) -> SecretStr:
    """A token that can be sent in a header."""
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("must be visible ASCII without spaces")
    return token


def _check_url(url: str, schemes: tuple[str, ...]) -> None:
    scheme = url.partition("://")[0]
    if scheme not in schemes:
        raise ValueError(f"the URL must start with one of {', '.join(schemes)}")
    try:
        parts = urlsplit(url)
        # A URL may name several hosts: each alone is one that the standard library can read.
        places = [urlsplit(f"//{place}") for place in parts.netloc.rpartition("@")[2].split(",")]
        is_good = scheme == "unix" or any(place.hostname and place.port != 0 for place in places)
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(
            "the URL has no good host and port; / ? # @ of a password are written %2F %3F %23 %40"
        )
    if scheme in _STORE_OPTIONS:
        _check_options(scheme, parts)


def _check_options(scheme: str, parts: SplitResult) -> None:
    number, known = parts.path.strip("/"), _STORE_OPTIONS[scheme]
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if scheme != "unix" and number and not number.isdecimal():
        raise ValueError("the URL's path must be the number of a database")
    if not options.keys() <= known:
        raise ValueError(f"the URL takes no options but these: {', '.join(sorted(known)) or '-'}")
    if scheme == "redis+sentinel" and not options.get("master"):
        raise ValueError("a redis+sentinel URL needs ?master=NAME")
    if options.get("ssl_cert_reqs", "required") not in _CERTIFICATE_CHECKS:
        raise ValueError(f"ssl_cert_reqs must be one of {', '.join(_CERTIFICATE_CHECKS)}")


Count = Annotated[int, Field(gt=0, le=10**12)]
CountOrNone = Annotated[int, Field(ge=0, le=10**12)]
Threads = Annotated[int, Field(gt=0, le=32_768)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=_TEN_YEARS)]
SecondsOrNone = Annotated[float, Field(ge=0, le=_TEN_YEARS)]
WholeSeconds = Annotated[int, Field(gt=0, le=_TEN_YEARS)]
SilenceSeconds = Annotated[float, Field(gt=0, le=_WEEK)]
StoreUrl = Annotated[str, AfterValidator(checked_store_url)]
BrokerUrl = Annotated[str, AfterValidator(checked_broker_url)]
Address = Annotated[str, AfterValidator(checked_address)]
HostNames = Annotated[str, AfterValidator(checked_host_names)]
Folder = Annotated[Path, AfterValidator(checked_folder)]
Token = Annotated[SecretStr, AfterValidator(checked_token)]
