"""Stopping the HTTP server: what Granian leaves to be desired.

Its serving process now and then misses the signal that the main process passes on to it, when a
connection comes at that very moment; told twice, it gets stuck. And a second signal from outside
is not obeyed. So the serving process is reminded until it says that it is stopping, and no longer.
"""

import logging
import multiprocessing
import signal
import threading
import time
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

REMIND_SECONDS = 0.5
# What it says when it has heard the signal, and who says it.
STOPPING = "Stopping worker"
SPEAKER = "_granian.serve"


class StopHeard(logging.Filter):
    """A filter on the serving process' log that notices when it is stopping.

    ``heard`` is shared with the main process; lines below ``level`` are left out.
    """

    def __init__(self, heard: Event, level: int) -> None:
        super().__init__()
        self._heard = heard
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().startswith(STOPPING):
            self._heard.set()
        return record.levelno >= self._level


def obey_signals(heard: Event) -> None:
    """See to it that the first signal is heard and a second one ends everything at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        granian: Any = signal.getsignal(number)

        def on_first(number: int, frame: FrameType | None, granian: Any = granian) -> None:
            signal.signal(signal.SIGINT, _kill)
            signal.signal(signal.SIGTERM, _kill)
            threading.Thread(target=_remind, args=[heard], name="stop", daemon=True).start()
            granian(number, frame)

        signal.signal(number, on_first)


def _remind(heard: Event) -> None:
    # No waiting on the event itself: its lock may belong to a process that is gone.
    while True:
        time.sleep(REMIND_SECONDS)
        processes = multiprocessing.active_children()
        if heard.is_set() or not processes:
            return
        for process in processes:
            process.terminate()


def _kill(number: int, frame: FrameType | None) -> None:
    for process in multiprocessing.active_children():
        process.kill()
