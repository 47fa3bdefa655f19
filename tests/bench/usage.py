"""What processes use: processor time, memory, and the cores they may run on. Linux alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_RESET_PEAK = "5"  # proc(5): clear_refs


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process and all that came from it."""

    pid: int

    def pids(self) -> list[int]:
        found = [self.pid]
        for pid in found:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, path.read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all of them so far."""
        return sum(_cpu_seconds(pid) for pid in self.pids())

    def memory_bytes(self) -> int:
        """Resident memory of all of them now, the files that they share counted once."""
        return sum(_status_bytes(pid, "VmRSS") for pid in self.pids()) - self._shared_bytes()

    def peak_bytes(self) -> int:
        """The most resident memory of each since ``forget_peak``, added up in the same way."""
        return sum(_status_bytes(pid, "VmHWM") for pid in self.pids()) - self._shared_bytes()

    def _shared_bytes(self) -> int:
        """What would be counted more than once: all run the same interpreter and libraries."""
        of_files = [_status_bytes(pid, "RssFile") for pid in self.pids()]
        return sum(of_files) - max(of_files)

    def forget_peak(self) -> None:
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)

    def pin(self, cores: set[int]) -> None:
        """Keep every thread there is on these cores."""
        for pid in self.pids():
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the measured run, and where everything else does. The same on a machine with one."""

    measured: set[int]
    others: set[int]


def cores() -> Cores:
    """The first core for what is measured, the next for the rest."""
    available = sorted(os.sched_getaffinity(0))
    return Cores({available[0]}, set(available[1:2] or available[:1]))


@contextmanager
def started_on(where: set[int]) -> Iterator[None]:
    """Processes started inside inherit these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, where)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
