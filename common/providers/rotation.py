"""A provider with several keys: each call takes the next, and another when that is turned down."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from common.errors import ProviderAnsweredError
from common.providers.background_api import BackgroundApiProvider
from common.providers.base import ProviderAnswer, ProviderRequest, ProviderStream, UpstreamCall
from common.providers.key_rests import KeyRests
from common.providers.responses_api import ResponsesApiProvider

_REFUSED = (401, 403)
_LIMITED = 429
# What a provider says of a response that belongs to another key's account.
_NOT_MINE = (*_REFUSED, 404)

Keyed = TypeVar("Keyed", bound=ResponsesApiProvider)
Served = TypeVar("Served")

_Failure = tuple[int, ProviderAnsweredError]  # the key's place, and what was said to it


class RotatingProvider(Generic[Keyed]):
    """Implements ``Provider``. ``keyed`` is the provider once for each of its keys.

    A key that the provider turns down (429, 401, 403) rests, and the next is asked at once, before
    anybody has seen a byte. When all are turned down, the failure is the one that passes first.
    """

    def __init__(self, name: str, keyed: Sequence[Keyed], rests: KeyRests | None = None) -> None:
        self.name = name
        self._keyed = list(keyed)
        self._rests = rests or KeyRests(name, len(self._keyed))

    @property
    def has_key(self) -> bool:
        """It has several."""
        return True

    def with_key(self, key: str) -> Keyed:
        """The provider with a key of which nothing is known, which neither rests nor rotates."""
        return self._keyed[0].with_key(key)

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """The whole answer, by whichever key gets it."""
        return self._served(lambda provider: provider.create(request, call), call)

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> ProviderStream:
        """Open a stream; once it is open its key stays."""
        return self._served(lambda provider: provider.stream(request, call), call)

    def _served(self, ask: Callable[[Keyed], Served], call: UpstreamCall) -> Served:
        failures: list[_Failure] = []
        awake, resting = self._rests.order()
        for place in (*awake, *resting):
            if place in resting and _is_limited(failures):
                break  # as was to be expected of this one too
            try:
                served = ask(self._keyed[place])
            except ProviderAnsweredError as error:
                if error.status not in (*_REFUSED, _LIMITED):
                    self._note(failures)
                    raise
                failures.append((place, error))
                continue
            call.key_place = place
            self._note(failures)
            self._rests.served(place)
            return served
        raise self._failure(failures)

    def _failure(self, failures: Sequence[_Failure]) -> ProviderAnsweredError:
        """The failure of all: the one that passes first, no later than a key comes back."""
        self._note(failures)
        error = min((error for _, error in failures), key=_passes_after)
        if error.status == _LIMITED and error.retry_after_seconds is not None:
            back_after = self._rests.back_after_seconds()
            error.retry_after_seconds = min(error.retry_after_seconds, back_after)
        return error

    def _note(self, failures: Sequence[_Failure]) -> None:
        """Put those to rest that were turned down. What is refused to all of them is not the keys'
        fault: the model may be one that none is for."""
        all_refused = len(failures) == len(self._keyed) and not _is_limited(failures)
        for place, error in failures:
            if error.status == _LIMITED:
                self._rests.limited(place, error.retry_after_seconds)
            elif not all_refused:
                self._rests.refused(place)


def _is_limited(failures: Sequence[_Failure]) -> bool:
    return any(error.status == _LIMITED for _, error in failures)


def _passes_after(error: ProviderAnsweredError) -> float:
    """How long a failure lasts: a refusal for ever."""
    if error.status != _LIMITED:
        return float("inf")
    return error.retry_after_seconds or 0.0


class RotatingBackgroundProvider(RotatingProvider[BackgroundApiProvider]):
    """Implements ``BackgroundProvider``. A response is asked about with the key that began it, as
    far as that is known, and else with each until one knows it."""

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer:
        return self._served(lambda provider: provider.submit(request, call, key), call)

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream:
        return self._served(lambda provider: provider.submit_stream(request, call, key), call)

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
        return self._found(lambda provider: provider.retrieve(upstream_id, call), call)

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        return self._found(
            lambda provider: provider.retrieve_stream(upstream_id, call, after), call
        )

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None:
        self._found(lambda provider: provider.cancel(upstream_id, call), call)

    def _found(self, ask: Callable[[BackgroundApiProvider], Served], call: UpstreamCall) -> Served:
        if call.key_place is not None:
            return ask(self._keyed[call.key_place])
        failures: list[ProviderAnsweredError] = []
        for place, provider in enumerate(self._keyed):
            try:
                found = ask(provider)
            except ProviderAnsweredError as error:
                if error.status not in _NOT_MINE:
                    raise
                failures.append(error)
                continue
            call.key_place = place
            return found
        raise failures[0]
