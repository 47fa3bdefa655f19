"""The supervisor with real, tiny processes, in a process of its own that signals can be sent to."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until

WAIT_SECONDS = 20.0

SUPERVISE = """
import json, os, sys
from common.running.child import ChildSpec
from common.running.console import Console
from common.running.supervisor import Supervisor

def spec(table):
    path = table.pop("ready_when", None)
    ready = None if path is None else lambda: os.path.exists(path)
    script = table.pop("script")
    return ChildSpec(argv=(sys.executable, "-S", "-u", "-c", script), env={}, ready=ready, **table)

stages = [[spec(table) for table in stage] for stage in json.loads(sys.argv[1])]
console = Console()
sys.exit(Supervisor(stages, console).run(lambda: console.say(f"up {os.getpid()}")))
"""

# Says its process id, then who asked it to stop.
POLITE = """
import os, signal, sys
def stop(*_):
    print("asked to stop")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("pid", os.getpid())
while True: signal.pause()
"""

STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("pid", os.getpid())
while True: signal.pause()
"""

# Has a child of its own in its group, which would outlive it.
PARENT = """
import os, signal, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
print("pid", os.getpid())
print("child", child.pid)
while True: signal.pause()
"""


def is_gone(pid: int) -> bool:
    """Dead: no such process, or one that nobody has asked about yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


class Supervised:
    """A supervisor process whose output goes to a file."""

    def __init__(self, stages: list[list[dict[str, Any]]], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, json.dumps(stages)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.log.read_text("utf-8")

    def wait_for_line(self, pattern: str, count: int = 1) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            matches = list(re.finditer(pattern, self.text(), re.MULTILINE))
            return matches[count - 1] if len(matches) >= count else None

        match = wait_until(found, f"{pattern!r} in:\n{self.text()}")
        assert isinstance(match, re.Match)
        return match

    def pid_of(self, name: str, count: int = 1) -> int:
        return int(self.wait_for_line(rf"^{name} +\| pid (\d+)$", count).group(1))

    def end(self) -> int:
        return self.process.wait(WAIT_SECONDS)


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(*stages: list[dict[str, Any]]) -> Supervised:
        started.append(Supervised(list(stages), tmp_path / f"log{len(started)}"))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        # The reaper kills what it started; wait, so that no test leaves a process.
        for pid in re.findall(r"(?:pid|child) (\d+)$", one.text(), re.MULTILINE):
            wait_until(lambda pid=pid: is_gone(int(pid)), f"the end of {pid}")


def test_what_started_first_stops_last(supervise: Callable[..., Supervised]) -> None:
    it = supervise(
        [{"name": "redis", "script": POLITE}],
        [{"name": "worker", "script": POLITE}],
        [{"name": "api", "script": POLITE}],
    )
    for name in ("redis", "worker", "api"):
        it.pid_of(name)
    it.process.send_signal(signal.SIGINT)
    assert it.end() == 0
    stops = re.findall(r"^(\w+) +\| asked to stop$", it.text(), re.MULTILINE)
    assert stops == ["api", "worker", "redis"]
    assert "muninn | stopping; a second Ctrl-C kills at once" in it.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_in_good_order_too(
    number: signal.Signals, supervise: Callable[..., Supervised]
) -> None:
    it = supervise([{"name": "api", "script": POLITE}])
    it.pid_of("api")
    it.process.send_signal(number)
    assert it.end() == 0
    assert "api    | asked to stop" in it.text()


def test_a_stage_starts_when_the_one_before_is_ready(
    supervise: Callable[..., Supervised], tmp_path: Path
) -> None:
    flag = tmp_path / "ready"
    script = f"print('making ready'); open({str(flag)!r}, 'w').close()\n" + POLITE
    it = supervise(
        [{"name": "redis", "script": script, "ready_when": str(flag)}],
        [{"name": "api", "script": POLITE}],
    )
    it.wait_for_line(r"^muninn \| up")
    it.pid_of("api")
    assert it.text().index("making ready") < it.text().index("api")


def test_a_child_that_dies_is_restarted_and_a_line_says_so(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise([{"name": "worker", "script": POLITE}])
    os.kill(it.pid_of("worker"), signal.SIGKILL)
    it.wait_for_line(r"^muninn \| worker was killed by SIGKILL; restarting it in 0\.5 s$")
    os.kill(it.pid_of("worker", count=2), signal.SIGKILL)
    it.wait_for_line(r"^muninn \| worker was killed by SIGKILL; restarting it in 1 s$")
    it.process.send_signal(signal.SIGINT)
    assert it.end() == 0


def test_what_a_dead_child_left_behind_is_killed(supervise: Callable[..., Supervised]) -> None:
    it = supervise([{"name": "api", "script": PARENT}])
    grandchild = int(it.wait_for_line(r"child (\d+)$").group(1))
    os.kill(it.pid_of("api"), signal.SIGKILL)
    wait_until(lambda: is_gone(grandchild), "the end of the grandchild")


def test_a_child_that_ends_while_starting_stops_everything(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise(
        [{"name": "redis", "script": POLITE}],
        [{"name": "api", "script": "raise SystemExit(3)", "ready_when": "/no/such/file"}],
    )
    assert it.end() == 1
    assert "muninn | api ended with code 3 while starting; giving up" in it.text()
    assert " up " not in it.text()


def test_a_child_that_is_never_ready_stops_everything(supervise: Callable[..., Supervised]) -> None:
    api = {"name": "api", "script": POLITE, "ready_when": "/no", "ready_within_seconds": 0.2}
    it = supervise([api])
    assert it.end() == 1
    assert "muninn | api did not serve within 0.2 s; giving up" in it.text()


def test_a_child_that_does_not_stop_is_killed_after_its_grace(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise([{"name": "worker", "script": STUBBORN, "grace_seconds": 0.3}])
    pid = it.pid_of("worker")
    it.process.send_signal(signal.SIGTERM)
    assert it.end() == 0
    assert is_gone(pid)
    assert "muninn | worker did not stop within 0.3 s; killing" in it.text()


def test_a_second_signal_kills_at_once(supervise: Callable[..., Supervised]) -> None:
    it = supervise([{"name": "worker", "script": STUBBORN, "grace_seconds": 600}])
    pid = it.pid_of("worker")
    it.process.send_signal(signal.SIGINT)
    it.wait_for_line("stopping")
    it.process.send_signal(signal.SIGINT)
    it.end()
    assert is_gone(pid)


def test_a_closing_terminal_does_not_count_as_a_second_signal(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise([{"name": "worker", "script": STUBBORN, "grace_seconds": 0.5}])
    it.pid_of("worker")
    it.process.send_signal(signal.SIGTERM)
    it.wait_for_line("stopping")
    it.process.send_signal(signal.SIGHUP)
    assert it.end() == 0
    assert "did not stop within" in it.text()


def test_a_signal_while_starting_stops(supervise: Callable[..., Supervised]) -> None:
    it = supervise([{"name": "api", "script": POLITE, "ready_when": "/no/such/file"}])
    it.pid_of("api")
    it.process.send_signal(signal.SIGINT)
    assert it.end() == 0
    assert "api    | asked to stop" in it.text()
    assert " up " not in it.text()


def test_nothing_survives_a_supervisor_that_is_killed(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise(
        [{"name": "redis", "script": STUBBORN}],
        [{"name": "worker", "script": STUBBORN}, {"name": "api", "script": PARENT}],
    )
    pids = [it.pid_of(name) for name in ("redis", "worker", "api")]
    pids.append(int(it.wait_for_line(r"child (\d+)$").group(1)))
    it.process.kill()
    for pid in pids:
        wait_until(lambda pid=pid: is_gone(pid), f"the end of {pid}")


def reapers_of(supervisor: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == supervisor and b"reaper.py" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def test_a_reaper_that_is_killed_is_replaced_by_one_that_knows_all(
    supervise: Callable[..., Supervised],
) -> None:
    it = supervise([{"name": "worker", "script": STUBBORN}])
    pid = it.pid_of("worker")
    (first,) = wait_until(lambda: reapers_of(it.process.pid), "the reaper")
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: set(reapers_of(it.process.pid)) - {first}, "another reaper")
    it.process.kill()
    wait_until(lambda: is_gone(pid), "the end of the worker")
