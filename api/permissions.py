"""Which models a caller may use."""

from typing import Any

from api.auth import Caller
from common.bootstrap import Services
from common.errors import PermissionDenied
from common.fallback_rows import fallbacks_of


def check_permission(services: Services, caller: Caller, body: dict[str, Any]) -> None:
    """Raise PermissionDenied for a model that the caller's key is not for, among those a request
    may come to; ModelNotFound for one that nobody has.

    What counts is the provider and its own name for the model, so no alias leads around it.
    """
    if caller.key is None or not caller.key.models:
        return
    fallbacks = body.get("fallbacks")
    models = [body["model"], *(fallbacks if isinstance(fallbacks, list) else [])]
    for model in models:
        if isinstance(model, str):
            _check(services, caller.key.allows, model)


def usable_fallbacks(services: Services, caller: Caller, body: dict[str, Any]) -> tuple[str, ...]:
    """Who stands in for the model by the settings, where the request says nothing of it; without
    those that the caller's key is not for."""
    table = services.settings.fallbacks
    if not table or body.get("fallbacks") is not None:
        return ()
    resolve = services.registry.resolve
    first = resolve(body["model"])
    asked = (first.provider_name, first.model_deployment)
    found = []
    for model in fallbacks_of(table, *asked):
        route = resolve(model)
        place = (route.provider_name, route.model_deployment)
        if place != asked and (caller.key is None or caller.key.allows(*place)):
            found.append(model)
    return tuple(found)


def check_admin(caller: Caller) -> None:
    """Raise PermissionDenied unless the caller's key is an admin's, or no key is needed."""
    if caller.key is not None and not caller.is_admin:
        raise PermissionDenied("This needs an admin key.", code="admin_key_required")


def _check(services: Services, allows: Any, model: str) -> None:
    route = services.registry.resolve(model)
    if allows(route.provider_name, route.model_deployment):
        return
    error = PermissionDenied(
        f"This API key is not for the model {route.provider_name}/{route.model_deployment}.",
        param="model",
        code="model_not_allowed",
    )
    error.provider, error.model_requested = route.provider_name, route.model_requested
    raise error
