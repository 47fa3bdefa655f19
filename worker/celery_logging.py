"""Celery's own lines: fewer of them, and in the form of ours."""

import logging
import threading
from typing import Any

from celery import signals
from celery.apps import worker as celery_worker

log = logging.getLogger(__name__)


def join_celery_to_our_log() -> None:
    """Keep Celery from setting up logging by itself, and from writing past it."""
    signals.setup_logging.connect(_is_set_up, weak=False)
    # It writes these straight to the output, from a signal's handler.
    celery_worker.safe_say = _say
    # Its two lines a job say what ours says better.
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _is_set_up(**_: Any) -> None:
    """That somebody listens is enough for Celery."""


def _say(message: str, *_: Any) -> None:
    # In a thread: the signal may have come in the middle of writing a line.
    threading.Thread(target=log.info, args=["%s", message.strip()], daemon=True).start()
