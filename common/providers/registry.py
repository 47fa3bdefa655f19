"""The configured providers, and which of them answers for a model name."""

from collections.abc import Mapping
from typing import NamedTuple

import requests
from pydantic import SecretStr

from common.errors import InvalidValue, ModelNotFound
from common.provider_rows import ProviderRow
from common.providers.background_api import BackgroundApiProvider
from common.providers.base import Provider, TakesKeys
from common.providers.echo import EchoProvider
from common.providers.observed import Observer, observed
from common.providers.responses_api import ResponsesApiProvider
from common.providers.rotation import RotatingBackgroundProvider, RotatingProvider
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
    """Providers by name, their rows (for aliases), and the one for names without a prefix.

    ``caller_keys`` are the names of those that may be asked with a key of the caller's, ``keyless``
    of those that have to.
    """

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
        self._observers: list[Observer] = []
        self._take_keys = _take_keys(providers, rows)
        self.caller_keys = frozenset(self._take_keys)
        self.keyless = frozenset(n for n, each in self._take_keys.items() if not each.has_key)

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

    def with_key(self, route: Route, key: SecretStr) -> Route:
        """The route with the provider asked by this key; only for ``caller_keys``."""
        provider = self._take_keys[route.provider_name].with_key(key.get_secret_value())
        for observer in self._observers:
            provider = observed(provider, observer)
        return route._replace(provider=provider)

    def observe(self, observer: Observer) -> None:
        """From now on have every call watched, those with callers' keys included."""
        self._observers.append(observer)
        self.providers = {name: observed(each, observer) for name, each in self.providers.items()}

    def max_in_flight(self, provider_name: str) -> int | None:
        """How many jobs may call the provider at once; None for any number."""
        row = self._rows.get(provider_name)
        return row.max_in_flight if row is not None else None

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
    if len(row.own_keys) > 1:
        return _rotating(name, row, session)
    kind = BackgroundApiProvider if row.background else ResponsesApiProvider
    return kind(name, _with_one(row, *row.own_keys), session)


def _rotating(name: str, row: ProviderRow, session: requests.Session) -> Provider:
    rows = [_with_one(row, key) for key in row.own_keys]
    if row.background:
        with_background = [BackgroundApiProvider(name, each, session) for each in rows]
        return RotatingBackgroundProvider(name, with_background)
    return RotatingProvider(name, [ResponsesApiProvider(name, each, session) for each in rows])


def _with_one(row: ProviderRow, *key: SecretStr) -> ProviderRow:
    return row.model_copy(update={"api_key": key[0]}) if key else row


def _take_keys(
    providers: Mapping[str, Provider], rows: Mapping[str, ProviderRow]
) -> dict[str, TakesKeys]:
    allowed = (name for name, row in rows.items() if row.allow_caller_keys)
    found = {name: providers[name] for name in allowed}
    return {name: each for name, each in found.items() if isinstance(each, TakesKeys)}
