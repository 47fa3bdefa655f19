"""Signals as something to wait for beside output and ends of children."""

import contextlib
import signal
import socket
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalInbox:
    """Counts the signals that ask to stop, and wakes whoever selects on it for any signal.

    The first asks to stop in good order, the second to kill at once. SIGHUP never counts as a
    second: a terminal that closes sends it on top of others. Only the main thread may open it.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = socket.socketpair()
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    @property
    def kill_at_once(self) -> bool:
        """Asked a second time."""
        return self.stops > 1

    def open(self) -> None:
        """Take the signals over."""
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        # Without a handler of ours the end of a child would not wake the selector.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOPPING:
            # `nohup muninn up` means what it says.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_stop)

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable after a signal."""
        return self._reader.fileno()

    def drain(self) -> None:
        """Forget what woke us."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def _on_stop(self, number: int, _frame: FrameType | None) -> None:
        if not (number == signal.SIGHUP and self.stops):
            self.stops += 1
