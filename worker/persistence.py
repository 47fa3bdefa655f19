"""Doing to the store what has to be done, however long the store is away."""

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_random_exponential

from common.errors import ServiceUnavailable

Result = TypeVar("Result")


class Persistence:
    """Repeats what fails because Redis is away: a result is a paid answer."""

    def __init__(self) -> None:
        self._given_up = threading.Event()

    @property
    def is_given_up(self) -> bool:
        return self._given_up.is_set()

    def give_up(self) -> None:
        """This process has to go: from now on what fails is raised."""
        self._given_up.set()

    def until_done(self, action: Callable[[], Result]) -> Result:
        """Do it, again and again. Raises ServiceUnavailable only after ``give_up``."""
        with contextlib.suppress(ServiceUnavailable):
            return action()  # nearly always; what follows costs more than the action
        retrying = Retrying(
            retry=retry_if_exception_type(ServiceUnavailable),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            stop=stop_when_event_set(self._given_up),
            reraise=True,
        )
        return retrying(action)
