"""Virtual keys: who may call the gateway, what for, and how much. Pure."""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

import orjson

SECRET_PREFIX = "mk-"  # noqa: S105 - how secrets are recognised, for people and for scanners
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret to give to a caller.

    It is 256 random bits, so a plain hash of it cannot be reversed by guessing, and can be taken
    on each request.
    """
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal: all that is ever stored of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_key_id() -> str:
    """An id; the jobs of a key are its own by this, whatever becomes of the secret."""
    return f"key_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A key as it is stored.

    ``models`` are patterns of ``provider/model``, none of them for any model; ``rpm`` bounds the
    requests of a minute, ``max_running`` the jobs that run at once. During a rotation the digest
    of the secret before is good until ``previous_until``. Times are seconds since 1970.
    """

    id: str
    name: str
    digest: str
    created_at: int
    models: tuple[str, ...] = ()
    rpm: int | None = None
    max_running: int | None = None
    expires_at: int | None = None
    is_admin: bool = False
    is_revoked: bool = False
    previous_digest: str = ""
    previous_until: int = 0

    def accepts(self, digest: str, now: float) -> bool:
        """Whether a secret of this digest opens the gateway now."""
        if self.is_revoked or (self.expires_at is not None and now >= self.expires_at):
            return False
        if hmac.compare_digest(self.digest, digest):
            return True
        is_previous = bool(self.previous_digest) and now < self.previous_until
        return is_previous and hmac.compare_digest(self.previous_digest, digest)

    def allows(self, provider: str, model: str) -> bool:
        """Whether it may be used for this model, by the name that the provider knows it by."""
        name = f"{provider}/{model}"
        return not self.models or any(fnmatchcase(name, pattern) for pattern in self.models)

    def status(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.is_revoked:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "active"

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, stored: bytes) -> "VirtualKey":
        """Fields that a newer version knows are left out: while a deploy rolls, both run."""
        known = {field.name for field in fields(cls)}
        given: dict[str, Any] = orjson.loads(stored)
        kept = {name: value for name, value in given.items() if name in known}
        return cls(**{**kept, "models": tuple(kept.get("models", ()))})


def is_model_pattern(text: str) -> bool:
    """Whether it can match a ``provider/model``: a bare model name never would."""
    provider, slash, model = text.partition("/")
    return text == "*" or bool(slash and provider and model and text.isprintable())
