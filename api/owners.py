"""Whose jobs a caller sees, and how they are told apart by those who see the jobs of all."""

from typing import Any

from api.auth import Caller
from api.permissions import check_admin
from common.bootstrap import Services
from common.jobs import JobRecord


def owners_asked_for(services: Services, caller: Caller, key: str | None) -> list[str] | None:
    """The owners whose jobs are listed, None for those of all.

    ``key`` is a key's name or id; only an admin may ask by it. Raises PermissionDenied.
    """
    if not key:
        return None if caller.is_admin else [caller.owner]
    check_admin(caller)
    return [owner for owner in services.keyring.owners_of(key) if caller.may_see(owner)]


def key_field(services: Services, caller: Caller, record: JobRecord) -> dict[str, Any]:
    """``key``, the name of the key that the job belongs to, for an admin; nothing for others."""
    if not caller.is_admin:
        return {}
    return {"key": services.keyring.name_of(record.owner)}
