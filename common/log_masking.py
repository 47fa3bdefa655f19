"""Keeps secrets out of the log, whoever wrote the line: known ones, and what looks like one. Pure.

Nothing of ours logs a secret. This is for what others put into their exceptions and messages.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from common.secret_headers import credentials_in
from common.virtual_keys import SECRET_PREFIX

STARS = "***"
# Masking shorter ones would garble ordinary words.
SHORTEST = 8

_PASSWORD_IN_URL = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_KEY = re.compile(rf"\b(?:{SECRET_PREFIX}|sk-|whsec_)[A-Za-z0-9_+/=-]{{16,}}")
# Only a line with one of these can match above.
_SIGNS = ("://", SECRET_PREFIX, "sk-", "whsec_")


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces these secrets, virtual keys and passwords in URLs by stars."""
    long = {secret for secret in secrets if len(secret) >= SHORTEST}
    known = sorted(long | {json.dumps(secret)[1:-1] for secret in long}, key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in known:
            if secret in text:
                text = text.replace(secret, STARS)
        if any(sign in text for sign in _SIGNS):
            text = _PASSWORD_IN_URL.sub(rf"\1{STARS}@", text)
            text = _KEY.sub(STARS, text)
        return text

    return mask


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret in settings: secret fields, and the headers that are sent to providers."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
    elif isinstance(value, str):
        yield from _password_of(value)
    elif isinstance(value, BaseModel):
        yield from credentials_in(getattr(value, "headers", {}))
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from secrets_in(each)


def _password_of(text: str) -> Iterator[str]:
    """The password in a URL, as it stands there and as it is sent."""
    try:
        password = urlsplit(text).password if "://" in text else None
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
