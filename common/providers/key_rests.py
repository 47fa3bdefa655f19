"""Which of a provider's keys is used next, and which ones rest."""

import itertools
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LIMITED_SECONDS = 60.0
REFUSED_SECONDS = 300.0
# However long the provider says: it is looked at again at last.
LONGEST_SECONDS = 3600.0


class KeyRests:
    """The keys of one provider, by their places in its row. What is known is this process' alone.

    A rest is a preference and never a refusal: when all rest, they are asked all the same, so no
    number of keys is worse than one. Any thread may ask; nothing is locked, for the worst that can
    come of two threads at once is one call more with a key that should rest.
    """

    def __init__(
        self, provider: str, keys: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = provider
        self._turns = itertools.count()
        self._clock = clock
        # Until when, and whether the key was refused (and not only limited).
        self._rests: list[tuple[bool, float]] = [(False, 0.0)] * keys

    def order(self) -> tuple[list[int], list[int]]:
        """The keys that do not rest, in turn, and those that do: first the limited ones that come
        back first, then the refused."""
        rests, now = self._rests, self._clock()
        first = next(self._turns) % len(rests)
        places = [*range(first, len(rests)), *range(first)]
        resting = [place for place in places if rests[place][1] > now]
        if not resting:
            return places, resting
        awake = [place for place in places if place not in resting]
        return awake, sorted(resting, key=rests.__getitem__)

    def back_after_seconds(self) -> float:
        """How long it takes until the first key that was only limited comes back."""
        now = self._clock()
        limited = [until - now for was_refused, until in self._rests if not was_refused]
        return max(min(limited, default=0.0), 0.0)

    def limited(self, place: int, retry_after_seconds: float | None) -> None:
        """The provider wants fewer calls with this key."""
        asked = LIMITED_SECONDS if retry_after_seconds is None else retry_after_seconds
        self._rest(place, min(asked, LONGEST_SECONDS), was_refused=False)

    def refused(self, place: int) -> None:
        """The provider does not take this key, while it takes another."""
        self._rest(place, REFUSED_SECONDS, was_refused=True)

    def served(self, place: int) -> None:
        """The provider takes this key, so there is nothing to rest from."""
        if self._rests[place][1]:
            self._rests[place] = (False, 0.0)

    def _rest(self, place: int, seconds: float, *, was_refused: bool) -> None:
        self._rests[place] = (was_refused, self._clock() + seconds)
        log.warning(
            "provider key rests: provider=%s place=%d refused=%s seconds=%.0f",
            self._provider,
            place,
            was_refused,
            seconds,
        )
