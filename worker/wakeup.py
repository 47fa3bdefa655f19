"""Makes a worker fetch its next message as soon as a slot is free."""

from typing import Any

from celery import signals
from kombu.asynchronous import get_event_loop


def wake_hub_after_each_task() -> None:
    """Wake Celery's event loop when a job ends.

    With prefetching off, a full worker asks for the next message only when its loop turns, and an
    idle loop turns once a second: a freed slot would wait 0.7 s.
    """
    signals.task_postrun.connect(_wake, weak=False)


def _wake(**_: Any) -> None:
    hub = get_event_loop()
    if hub is not None:
        hub.call_soon(_nothing)  # type: ignore[no-untyped-call]


def _nothing() -> None:
    """The turn of the loop is all that is wanted."""
