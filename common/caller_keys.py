"""Keys that callers bring for a provider, and how those of jobs are kept: encrypted.

A key is for the one provider that it was sent for and goes to no other, whatever becomes of the
settings between the submit and the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from pydantic import SecretStr

from common.errors import CallerKeyUnusable, InternalError
from common.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


@dataclass(frozen=True, slots=True)
class CallerKey:
    """A caller's own key for a provider."""

    provider: str
    secret: SecretStr


class KeyVault:
    """Seals keys for jobs and opens them again, with the first of the encryption keys and with any
    of them."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._fernet = _fernet(keys) if keys else None

    @property
    def can_seal(self) -> bool:
        """Whether there is an encryption key."""
        return self._fernet is not None

    def seal(self, job_id: str, key: CallerKey) -> bytes:
        """What is stored with the job. Only where ``can_seal``."""
        if self._fernet is None:
            raise InternalError("There is no encryption key.")
        # Bound to the job: put into another one's record it is worth nothing.
        sealed = [job_id, key.provider, key.secret.get_secret_value()]
        return self._fernet.encrypt(orjson.dumps(sealed))

    def open(self, job_id: str, sealed: bytes) -> CallerKey:
        """The key of a job. Raises CallerKeyUnusable for one that was sealed with a key that is
        gone, or for another job."""
        sealed_for, provider, secret = orjson.loads(self._decrypted(sealed) or b"[0, 0, 0]")
        if sealed_for != job_id:
            raise CallerKeyUnusable(
                "The provider key that was sent with this job cannot be read any more."
            )
        return CallerKey(provider, SecretStr(secret))

    def _decrypted(self, sealed: bytes) -> bytes | None:
        if self._fernet is None:
            return None
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None


def _fernet(keys: Sequence[str]) -> "MultiFernet":
    # Six megabytes, so only where it is used.
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def vault_of(settings: Settings) -> KeyVault:
    """The vault of the configured encryption keys."""
    return KeyVault([key.get_secret_value() for key in settings.encryption_keys or ()])
