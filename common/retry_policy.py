"""When a call that failed is worth repeating, and how long to wait before. Pure."""

from tenacity import RetryCallState, wait_exponential_jitter

from common.errors import MuninnError

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 60.0

_backoff = wait_exponential_jitter(
    initial=FIRST_DELAY_SECONDS, max=LONGEST_DELAY_SECONDS, jitter=FIRST_DELAY_SECONDS
)


def retry_delay_seconds(
    error: MuninnError, failures: int, max_attempts: int, remaining_seconds: float
) -> float | None:
    """Seconds until the next attempt, or None when there shall be none.

    ``failures`` counts this one. The provider's ``Retry-After`` is honoured even when it is long,
    as long as the next attempt starts before the job's deadline.
    """
    if not error.retryable or failures >= max_attempts:
        return None
    delay = max(_backoff(attempt_state(failures)), error.retry_after_seconds or 0.0)
    return delay if delay < remaining_seconds else None


def attempt_state(attempt: int) -> RetryCallState:
    """What tenacity wants to know to say how long to wait after so many attempts."""
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = attempt
    return state
