"""A virtual key as a row of data, for set-ups that keep their keys in the environment. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from common.provider_rows import NAME, VARIABLE
from common.setting_types import Count
from common.virtual_keys import VirtualKey, digest_of, is_model_pattern

# Less could be guessed from its hash.
SHORTEST_SECRET = 24
# No key of the store has an id like it.
ID_PREFIX = "env:"

_KEY_ID = re.compile(rf"key_[0-9a-f]{{24}}|{ID_PREFIX}{NAME.pattern}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class KeyRow(BaseModel):
    """One configured key."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    hash: str = Field("", description="The SHA-256 of the secret, in hexadecimal.")
    secret_env: str | None = Field(
        None, description="Name of the environment variable that holds the secret itself."
    )
    models: list[str] = Field(
        default_factory=list, description="What it may be used for, as `provider/model`; `*` fits."
    )
    rpm: Count | None = Field(None, description="Requests in any minute.")
    max_running: Count | None = Field(None, description="Jobs that run at once.")
    expires_at: AwareDatetime | None = Field(None, description="When it ends, as RFC 3339.")
    is_admin: bool = Field(False, description="Sees and ends the jobs of all.")

    @field_validator("hash")
    @classmethod
    def _is_digest(cls, value: str) -> str:
        # Said without the value: what stands here by mistake is most often the secret itself.
        if value and not _DIGEST.fullmatch(value.lower()):
            raise ValueError("must be the SHA-256 of the secret, 64 hexadecimal digits")
        return value.lower()

    @field_validator("secret_env")
    @classmethod
    def _is_variable(cls, value: str | None) -> str | None:
        if value is not None and not VARIABLE.fullmatch(value):
            raise ValueError("must be the name of an environment variable")
        return value

    @field_validator("models")
    @classmethod
    def _are_patterns(cls, value: list[str]) -> list[str]:
        for pattern in value:
            if not is_model_pattern(pattern):
                raise ValueError("takes patterns such as openai/* or openai/gpt-4o-mini")
        return value


def is_key_id(text: str) -> bool:
    """Whether a key could have this id, of the store or of a row."""
    return _KEY_ID.fullmatch(text) is not None


def hashed_rows(rows: Mapping[str, KeyRow], environ: Mapping[str, str]) -> dict[str, KeyRow]:
    """The rows, each with its hash; the secrets themselves are not kept.

    Raises ValueError naming the row, and never a secret, where one cannot work.
    """
    return {name: _hashed(name, row, environ) for name, row in rows.items()}


def keys_of_rows(rows: Mapping[str, KeyRow]) -> list[VirtualKey]:
    """The keys that hashed rows are."""
    return [
        VirtualKey(
            id=ID_PREFIX + name,
            name=name,
            digest=row.hash,
            created_at=0,
            models=tuple(row.models),
            rpm=row.rpm,
            max_running=row.max_running,
            expires_at=_seconds(row.expires_at),
            is_admin=row.is_admin,
        )
        for name, row in rows.items()
    ]


def _hashed(name: str, row: KeyRow, environ: Mapping[str, str]) -> KeyRow:
    if not NAME.fullmatch(name):
        raise ValueError("a key's name: use lower-case letters, digits, _ . -")
    if bool(row.hash) == bool(row.secret_env):
        raise ValueError(f"key {name}: give either hash or secret_env")
    if row.secret_env is None:
        return row
    secret = environ.get(row.secret_env, "").strip()
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(
            f"key {name}: {row.secret_env} must hold a random secret of at least "
            f"{SHORTEST_SECRET} characters"
        )
    return row.model_copy(update={"hash": digest_of(secret)})


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
