"""Runs beside the supervisor and outlives it: no child survives a supervisor that was killed.

A script of its own, started by path with nothing but the standard library, so that it is small.
It reads process groups from its standard input, ``+123`` for one that started and ``-123`` for one
that ended. The input ends when the supervisor does, however it ends; what is left is killed.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def remaining(lines: Iterable[bytes]) -> set[int]:
    """The groups that were started and not ended when the input closed."""
    groups: set[int] = set()
    for line in lines:
        change = groups.add if line.startswith(b"+") else groups.discard
        change(int(line[1:]))
    return groups


def main() -> None:
    """Wait for the end of the supervisor, then kill what it left behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in remaining(sys.stdin.buffer):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
