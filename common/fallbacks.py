"""Asking the next provider when one fails."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from common.errors import ProviderFailure
from common.providers.registry import Route

log = logging.getLogger(__name__)

Served = TypeVar("Served")

# The provider found fault with the request itself: another one would as well.
_FAULTS_OF_THE_REQUEST = frozenset({400, 413, 422})


def first_served(routes: Sequence[Route], ask: Callable[[Route], Served]) -> Served:
    """What the first of the routes gives that does not fail; the last one's failure is raised."""
    for route in routes[:-1]:
        try:
            return ask(route)
        except ProviderFailure as error:
            if error.status in _FAULTS_OF_THE_REQUEST:
                raise
            log.warning("falling back: provider=%s code=%s", route.provider_name, error.code)
    return ask(routes[-1])
