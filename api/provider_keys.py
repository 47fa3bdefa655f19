"""The key that a caller brings for the provider: where it may stand, and what is never one."""

import re

from pydantic import SecretStr

from api.auth import Caller
from api.headers import PROVIDER_KEY, bearer, virtual_key
from api.incoming import Incoming
from common.bootstrap import Services
from common.caller_keys import CallerKey
from common.errors import InvalidValue
from common.routes import caller_key_needed, caller_key_not_allowed
from common.settings import variable_of

# What can stand in a header, and be masked in what a provider says of it.
_KEY = re.compile(r"[\x21-\x7e]{4,4096}")


def provider_key(
    services: Services, incoming: Incoming, caller: Caller, model: str
) -> CallerKey | None:
    """The caller's own key for the provider of a model, if there is one.

    It stands in a header of its own, or else in ``Authorization``, where that can be meant. A
    virtual key is never taken for one.

    Raises PermissionDenied where callers' keys are not allowed, Unauthenticated where one is
    needed and none came, InvalidValue for what is none, ModelNotFound.
    """
    given, registry = incoming.header(PROVIDER_KEY), services.registry
    if given is None and not registry.caller_keys:
        return None
    provider = registry.resolve(model).provider_name
    if given is not None:
        return CallerKey(provider, SecretStr(_checked(services, given, provider)))
    if provider not in registry.caller_keys:
        return None
    implied = _authorization(services, incoming, caller, provider)
    if implied is not None:
        return CallerKey(provider, SecretStr(implied))
    if provider in registry.keyless:
        error = caller_key_needed(provider)
        error.message += f" It goes into the header {PROVIDER_KEY}."
        raise error
    return None


def provider_key_to_keep(
    services: Services, incoming: Incoming, caller: Caller, model: str
) -> CallerKey | None:
    """The same for a job. Raises InvalidValue where there is nothing to encrypt it with."""
    key = provider_key(services, incoming, caller, model)
    if key is not None and not services.vault.can_seal:
        raise InvalidValue(
            "A provider key that comes with a job has to be kept until its end, and this gateway "
            f"has nothing to encrypt it with: {variable_of('encryption_keys')} is not set. "
            "Requests that are not jobs can bring one.",
            param=PROVIDER_KEY,
            code="caller_key_not_storable",
        )
    return key


def _checked(services: Services, given: str, provider: str) -> str:
    """What stands in the header for it, which is meant for the provider and nothing else."""
    if provider not in services.registry.caller_keys:
        error = caller_key_not_allowed(provider)
        error.message += f" Leave out the header {PROVIDER_KEY}."
        error.param = PROVIDER_KEY
        raise error
    if services.keyring.is_ours(given):
        raise InvalidValue(
            f"The header {PROVIDER_KEY} holds a key of this gateway, not of a provider.",
            param=PROVIDER_KEY,
        )
    if not _KEY.fullmatch(given):
        raise InvalidValue(
            f"The header {PROVIDER_KEY} takes a bare key of 4 to 4096 ASCII characters, without "
            "'Bearer' and without spaces.",
            param=PROVIDER_KEY,
        )
    return given


def _authorization(
    services: Services, incoming: Incoming, caller: Caller, provider: str
) -> str | None:
    """What ``Authorization`` holds: the provider's key if another header said who is calling, or
    if the gateway is open and there is no other key. An SDK always sends something."""
    is_separate = caller.key is not None and virtual_key(incoming)
    is_needed = caller.key is None and provider in services.registry.keyless
    found = bearer(incoming) if is_separate or is_needed else None
    if found is None or not _KEY.fullmatch(found) or services.keyring.is_ours(found):
        return None
    return found
