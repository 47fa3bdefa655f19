"""One supervised process: its start, its output, its end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LONGEST_LINE_BYTES = 64 * 1024
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run, and how to treat it.

    ``env`` is its whole environment. ``ready`` says whether it serves already, without waiting
    for long; without it a child that was started counts as ready. ``grace_seconds`` is the time
    between SIGTERM and SIGKILL. ``keep_open`` are file descriptors that it inherits.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    grace_seconds: float = 10.0
    ready: Callable[[], bool] | None = None
    ready_within_seconds: float = 60.0
    cwd: Path | None = None
    keep_open: tuple[int, ...] = ()


class Child:
    """A process of a spec, started again and again in a session and process group of its own."""

    def __init__(self, spec: ChildSpec, say_line: Callable[[str, bytes], None]) -> None:
        self.spec = spec
        self.was_ready = spec.ready is None
        self.restart_at: float | None = None
        self._say_line = say_line
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._partial = b""

    @property
    def alive(self) -> bool:
        """Started, and its end not yet noticed by `ended`."""
        return self._process is not None

    @property
    def group(self) -> int:
        """Process id and process group id: the child leads its group."""
        return self._running().pid

    def fileno(self) -> int:
        """The pipe that its output comes from."""
        stdout = self._running().stdout
        if stdout is None:
            raise RuntimeError(f"{self.spec.name} has no pipe")
        return stdout.fileno()

    def start(self) -> None:
        """Start the process; raises OSError when it cannot be."""
        self.restart_at = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - no shell; argv is ours
            self.spec.argv,
            env=dict(self.spec.env),
            cwd=self.spec.cwd,
            pass_fds=self.spec.keep_open,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(self.fileno(), False)

    def ended(self) -> int | None:
        """The return code if the process has just ended, else None."""
        return None if self._process is None else self._process.poll()

    def bury(self) -> None:
        """After the end: kill what is left of its group, show its last words, let go of it."""
        self.kill()
        self.read_output()
        if self._partial:
            self._say_line(self.spec.name, self._partial)
        self._partial = b""
        process = self._running()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
        self._process = None

    def schedule_restart(self) -> float:
        """Set the time of the next start; return the pause until then, in seconds."""
        now = time.monotonic()
        if now - self._started_at >= STEADY_AFTER_SECONDS:
            self._pause_seconds = FIRST_PAUSE_SECONDS
        pause_seconds = self._pause_seconds
        self._pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        self.restart_at = now + pause_seconds
        return pause_seconds

    def terminate(self) -> None:
        """Ask the process, and not its own children, to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the whole group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def read_output(self) -> bool:
        """Show what it wrote since the last time; False when nothing more will come."""
        while True:
            try:
                data = os.read(self.fileno(), LONGEST_LINE_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._show(data)

    def _show(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LONGEST_LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._say_line(self.spec.name, line.rstrip(b"\r"))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} is not running")
        return self._process


def describe_end(return_code: int) -> str:
    """`ended with code 1` or `was killed by SIGKILL`."""
    if return_code >= 0:
        return f"ended with code {return_code}"
    try:
        return f"was killed by {signal.Signals(-return_code).name}"
    except ValueError:
        return f"was killed by signal {-return_code}"
