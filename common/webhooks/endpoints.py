"""The endpoints that events may go to: what a caller may name, and who signs for it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from common.errors import InvalidValue
from common.webhook_rows import WebhookRow, is_plain_url

LONGEST_TARGET = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one event goes, and the secrets that sign it."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)


class Endpoints:
    """The configured endpoints. A *target* is what a caller names one by, and what a job keeps:
    a name, or a URL below one that allows it."""

    def __init__(self, rows: Mapping[str, WebhookRow]) -> None:
        self._rows = rows

    def check(self, target: str, param: str) -> None:
        """Raise InvalidValue, naming ``param``, for a target that events may not go to."""
        if self.find(target) is not None:
            return
        if "://" in target:
            raise InvalidValue("Events may not be sent to this URL.", param=param)
        known = ", ".join(self._rows) or "none"
        raise InvalidValue(f"No such webhook is configured; there are: {known}.", param=param)

    def find(self, target: str) -> Endpoint | None:
        """The endpoint of a target; None when there is none (any more)."""
        if len(target) > LONGEST_TARGET:
            return None
        row = self._rows.get(target)
        if row is not None:
            return _endpoint(row.url, row)
        if not is_plain_url(target):
            return None
        rows = [row for row in self._rows.values() if _allows(row, target)]
        # The row that says the most about the URL has its secrets.
        closest = max(rows, key=lambda row: len(row.url), default=None)
        return None if closest is None else _endpoint(target, closest)


def _endpoint(url: str, row: WebhookRow) -> Endpoint:
    return Endpoint(url, tuple(secret.get_secret_value() for secret in row.secrets))


def _allows(row: WebhookRow, url: str) -> bool:
    """Whether the URL is the row's, or below it, by whole segments of its path."""
    above, below = urlsplit(row.url), urlsplit(url)
    if not row.allow_below or _place(above) != _place(below):
        return False
    path, root = below.path or "/", above.path.rstrip("/")
    return path == root or path.startswith(f"{root}/")


def _place(parts: SplitResult) -> tuple[str, str | None, int | None]:
    try:
        port = parts.port
    except ValueError:
        port = -1  # beyond 65535: nowhere
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)
