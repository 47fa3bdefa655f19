"""A webhook endpoint as a row of data: where events go, and the secrets that sign them. Pure."""

import base64
import binascii
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from common.provider_rows import NAME, VARIABLE

SECRET_PREFIX = "whsec_"  # noqa: S105 - how the specification marks secrets
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
SHORTEST_SECRET_BYTES = 24
LONGEST_SECRET_BYTES = 64
MOST_SECRETS = 2

# Letters that every parser of URLs reads alike; so what was allowed is what is called.
URL = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII,
)
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:[/?]|$)", re.IGNORECASE)


class WebhookRow(BaseModel):
    """One configured endpoint. With two secrets, during a rotation, both sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="Where events are posted: `https://host/path`.")
    secrets: list[SecretStr] = Field(
        default_factory=list, description="One or two, as `whsec_<base64>`; prefer `secret_envs`."
    )
    secret_envs: list[str] = Field(
        default_factory=list, description="Names of the environment variables that hold them."
    )
    allow_below: bool = Field(
        False, description="Callers may give any URL below `url` instead of the name."
    )

    @field_validator("url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        if not is_plain_url(value):
            raise ValueError("must be http:// or https://, a lower-case host and a plain path")
        return value

    @field_validator("secrets")
    @classmethod
    def _are_secrets(cls, value: list[SecretStr]) -> list[SecretStr]:
        for secret in value:
            check_secret(secret.get_secret_value())
        return value

    @field_validator("secret_envs")
    @classmethod
    def _are_variables(cls, value: list[str]) -> list[str]:
        # Said without the value: what stands here by mistake is most often the secret itself.
        if not all(VARIABLE.fullmatch(name) for name in value):
            raise ValueError("must be names of environment variables")
        return value


def is_plain_url(text: str) -> bool:
    """Whether it is a URL without credentials, fragment, dot segments and unusual letters."""
    return URL.fullmatch(text) is not None and _DOT_SEGMENT.search(text) is None


def check_secret(text: str) -> None:
    """Raise ValueError, without the value, for what is no secret of Standard Webhooks."""
    encoded = text.removeprefix(SECRET_PREFIX)
    try:
        size = len(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    is_sized = SHORTEST_SECRET_BYTES <= size <= LONGEST_SECRET_BYTES
    if not text.startswith(SECRET_PREFIX) or not is_sized:
        raise ValueError(
            f"a secret is {SECRET_PREFIX} and the base64 of {SHORTEST_SECRET_BYTES} to "
            f"{LONGEST_SECRET_BYTES} random bytes"
        )


def ready_webhooks(
    rows: Mapping[str, WebhookRow], environ: Mapping[str, str]
) -> dict[str, WebhookRow]:
    """The rows with the secrets that their ``secret_envs`` name.

    Raises ValueError naming the row where one cannot work.
    """
    for name in rows:
        if not NAME.fullmatch(name):
            raise ValueError(f"webhook name {name!r}: use lower-case letters, digits, _ . -")
    return {name: _with_secrets(name, row, environ) for name, row in rows.items()}


def _with_secrets(name: str, row: WebhookRow, environ: Mapping[str, str]) -> WebhookRow:
    secrets = list(row.secrets)
    for variable in row.secret_envs:
        if not environ.get(variable):
            raise ValueError(f"webhook {name}: secret_envs names {variable}, which is not set")
        try:
            check_secret(environ[variable])
        except ValueError as error:
            raise ValueError(f"webhook {name}: {variable}: {error}") from None
        secrets.append(SecretStr(environ[variable]))
    if not 1 <= len(secrets) <= MOST_SECRETS:
        raise ValueError(f"webhook {name}: give one secret, or two while you rotate them")
    return row.model_copy(update={"secrets": secrets})
