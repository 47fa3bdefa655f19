"""The configured providers, and which of them answers for a model name."""

from collections.abc import Mapping
from typing import NamedTuple

import requests

from common.errors import InvalidValue, ModelNotFound
from common.provider_rows import ProviderRow
from common.providers.background_api import BackgroundApiProvider
from common.providers.base import Provider
from common.providers.echo import EchoProvider
from common.providers.responses_api import ResponsesApiProvider
from common.providers.transport import upstream_session
from common.settings import Settings, SettingsError


class Route(NamedTuple):
    """Who answers a request: the provider, and the name the model has there.

    ``model_deployment`` is what the provider is asked for, aliases resolved;
    ``model_requested`` is what the caller wrote.
    """

    provider: Provider
    provider_name: str
    model_deployment: str
    model_requested: str


class Registry:
    """Providers by name, their rows (for aliases), and the one for names without a prefix."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        rows: Mapping[str, ProviderRow],
        default: str,
        session: requests.Session | None = None,
    ) -> None:
        self.providers = dict(providers)
        self.default = default
        self._rows = dict(rows)
        self._session = session

    def resolve(self, model: str) -> Route:
        """The route of ``provider/model`` or of a bare name.

        A name may hold slashes of its own: what stands before the first is a provider only if one
        of that name is configured, and the default provider may have an alias for the whole name.
        Raises InvalidValue for an empty part, ModelNotFound for a provider that is not there.
        """
        prefix, slash, rest = model.partition("/")
        if not prefix.strip() or (slash and not rest.strip()):
            raise InvalidValue(
                "model must be a model name or provider/model, neither part empty.", param="model"
            )
        if slash and prefix in self.providers:
            return self._route(prefix, rest, model)
        if slash and model not in self._aliases(self.default):
            raise ModelNotFound(
                f"No provider {prefix[:64]!r} is configured for the model. "
                f"Known providers: {', '.join(sorted(self.providers))}.",
                param="model",
            )
        return self._route(self.default, model, model)

    def close(self) -> None:
        """Close the idle upstream connections."""
        if self._session is not None:
            self._session.close()

    def _route(self, name: str, model: str, requested: str) -> Route:
        return Route(self.providers[name], name, self._aliases(name).get(model, model), requested)

    def _aliases(self, name: str) -> Mapping[str, str]:
        return self._rows[name].models if name in self._rows else {}


def build_registry(settings: Settings) -> Registry:
    """The registry of checked settings, its HTTP providers sharing one pool of connections.

    Raises SettingsError for a row that cannot be used.
    """
    session = upstream_session()
    rows = settings.providers
    try:
        providers = {name: _provider(name, row, session) for name, row in rows.items()}
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return Registry(providers, rows, settings.default_provider, session)


def _provider(name: str, row: ProviderRow, session: requests.Session) -> Provider:
    if row.kind == "echo":
        return EchoProvider(name)
    kind = BackgroundApiProvider if row.background else ResponsesApiProvider
    return kind(name, row, session)
