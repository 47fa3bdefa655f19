"""Where to send a request: the provider of its model, then its fallbacks, and with whose keys."""

from collections.abc import Iterator, Sequence
from typing import Any

from common.caller_keys import CallerKey
from common.errors import CallerKeyUnusable, PermissionDenied, RequestError, Unauthenticated
from common.providers.registry import Registry, Route


def first_route(registry: Registry, model: str, key: CallerKey | None = None) -> Route:
    """The route of the model that a request names.

    Raises ModelNotFound, PermissionDenied for a caller's key where none is allowed,
    Unauthenticated where none came and one is needed, and CallerKeyUnusable for a key that was
    sent for another provider: the settings have changed since.
    """
    route = registry.resolve(model)
    if key is None:
        return _with_own_key(registry, route)
    if key.provider != route.provider_name:
        raise CallerKeyUnusable(
            "The model has another provider than when the key for it was sent with this job."
        )
    if key.provider not in registry.caller_keys:
        raise caller_key_not_allowed(key.provider)
    return registry.with_key(route, key.secret)


def routes_of(
    registry: Registry,
    body: dict[str, Any],
    configured: Sequence[str] = (),
    key: CallerKey | None = None,
) -> list[Route]:
    """All there are to ask, in order. The fallbacks of the request itself have to be there, those
    that are ``configured`` are left out where they are not. Raises as ``first_route`` does."""
    first = first_route(registry, body["model"], key)
    given = body.get("fallbacks")
    if given is not None:
        return [first, *(_given(registry, model, n, key) for n, model in enumerate(given))]
    return [first, *_usable(registry, configured, key)] if configured else [first]


def caller_key_not_allowed(provider: str) -> PermissionDenied:
    """The refusal of a caller's key."""
    return PermissionDenied(
        f"The provider {provider} is not to be asked with keys of callers.",
        code="caller_key_not_allowed",
    )


def caller_key_needed(provider: str) -> Unauthenticated:
    """The refusal of a request without one."""
    return Unauthenticated(
        f"The provider {provider} is asked with a key of the caller's, and none was sent.",
        code="provider_key_required",
    )


def _fallback(registry: Registry, model: str, key: CallerKey | None) -> Route:
    """The route of a fallback: the caller's key goes to the provider it was sent for alone."""
    route = registry.resolve(model)
    if key is not None and key.provider == route.provider_name in registry.caller_keys:
        return registry.with_key(route, key.secret)
    return _with_own_key(registry, route)


def _with_own_key(registry: Registry, route: Route) -> Route:
    if route.provider_name in registry.keyless:
        raise caller_key_needed(route.provider_name)
    return route


def _given(registry: Registry, model: str, index: int, key: CallerKey | None) -> Route:
    try:
        return _fallback(registry, model, key)
    except RequestError as error:
        error.param = f"fallbacks[{index}]"
        raise


def _usable(registry: Registry, models: Sequence[str], key: CallerKey | None) -> Iterator[Route]:
    for model in models:
        try:
            yield _fallback(registry, model, key)
        except RequestError:
            continue
