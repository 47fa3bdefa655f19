"""One server per data directory: a lock that lives as long as its server does.

The lock is an open file that the embedded server inherits. So it is free when, and only when,
both the supervisor and the server are gone, however they went; no stale lock can exist.
"""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path

TAKE_OVER_WITHIN_SECONDS = 10.0


class DataDirInUse(Exception):
    """Another Muninn works on this data directory."""


class DataLock:
    """The lock of a directory; the file says which supervisor took it."""

    def __init__(self, directory: Path, server_pid_file: Path) -> None:
        self._path = directory / "lock"
        self._server_pid_file = server_pid_file
        self.descriptor = -1

    def acquire(self) -> None:
        """Take the lock; a server whose supervisor is dead is stopped first.

        Raises DataDirInUse when a living supervisor holds it.
        """
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not self._try():
                self._take_over()
        except DataDirInUse:
            self.release()
            raise
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of it; a server that still runs keeps its own hold."""
        os.close(self.descriptor)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take_over(self) -> None:
        deadline = time.monotonic() + TAKE_OVER_WITHIN_SECONDS
        while time.monotonic() < deadline:
            owner = _pid_in(self._path)
            if owner is not None and _is_alive(owner):
                break
            # The supervisor is gone, so whoever holds the lock is the server it left.
            server = _pid_in(self._server_pid_file)
            if server is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(server, signal.SIGTERM)
            time.sleep(0.1)
            if self._try():
                return
        raise DataDirInUse(
            f"{self._path.parent} is in use by another `muninn up` (process {_pid_in(self._path)});"
            " stop that one or choose another --data-dir"
        )


def is_in_use(directory: Path) -> bool:
    """Whether a Muninn works on this data directory now."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
