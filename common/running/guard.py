"""The supervisor's hold on the reaper, which kills the children if the supervisor is killed."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

REAPER = Path(__file__).with_name("reaper.py")


class Guard:
    """Tells a reaper process which process groups are alive; starts another if it dies."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._reaper = self._start()

    def add(self, group: int) -> None:
        """A process group has started."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """A process group has ended."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def keep(self) -> None:
        """Start another reaper if the present one is gone."""
        if self._reaper.poll() is None:
            return
        self._release()
        self._reaper = self._start()
        for group in self._groups:
            self._tell(f"+{group}\n")

    def close(self) -> None:
        """Let the reaper go; it kills the groups that were not removed."""
        self._release()
        self._reaper.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own: neither Ctrl-C nor a signal to our group ends it.
        return subprocess.Popen(  # noqa: S603 - no shell; argv is ours
            [sys.executable, "-I", "-S", str(REAPER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _tell(self, line: str) -> None:
        if self._reaper.stdin is not None:
            # Unbuffered; a reaper that is gone learns it all from `keep`.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._reaper.stdin.fileno(), line.encode())

    def _release(self) -> None:
        if self._reaper.stdin is not None:
            self._reaper.stdin.close()
