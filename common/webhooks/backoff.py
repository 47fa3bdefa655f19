"""When a delivery that failed is tried again. Pure."""

from dataclasses import dataclass

from tenacity import wait_exponential, wait_random

from common.retry_policy import attempt_state

EACH_TIMES = 3
LONGEST_DELAY_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """At most ``max_attempts``; the first pause is ``first_delay_seconds``, each is three times
    the last, with jitter, up to six hours."""

    max_attempts: int
    first_delay_seconds: float

    def delay_seconds(self, attempts: int) -> float | None:
        """The pause after so many attempts; None when there shall be no more."""
        if attempts >= self.max_attempts:
            return None
        first = self.first_delay_seconds
        grown = wait_exponential(first, max=LONGEST_DELAY_SECONDS, exp_base=EACH_TIMES)
        return (grown + wait_random(0, first))(attempt_state(attempts))
