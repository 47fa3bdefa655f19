"""Keeping our own credentials out of what a provider says about them."""

from collections.abc import Iterable
from typing import Any

from common.provider_rows import ProviderRow
from common.secret_headers import credentials_in

_STARS = "***"
_MIN_CHARACTERS = 4  # masking shorter ones would garble ordinary words


class Mask:
    """Replaces credentials by stars in what is parsed already, so that no escaping hides them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _MIN_CHARACTERS}
        self._secrets = sorted(known, key=len, reverse=True)

    def with_secret(self, secret: str) -> "Mask":
        """A mask for one more."""
        return Mask([*self._secrets, secret])

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _STARS)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value with all its texts masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(each) for name, each in value.items()}
        return value


def mask_of(row: ProviderRow) -> Mask:
    """A mask for the keys of a row and for those of its headers that look like credentials."""
    keys = [key.get_secret_value().strip() for key in row.own_keys]
    return Mask([*credentials_in(row.headers), *keys])
