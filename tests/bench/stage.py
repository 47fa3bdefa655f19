"""Everything that takes part: mock provider, store, front and worker as the README starts them."""

import json
import os
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from common.store.keys import Keys
from tests.bench.usage import Cores, ProcessTree, cores, started_on
from tests.support.processes import HOST, Muninn, Process, StoreServer, free_port
from tests.support.waiting import wait_until

RESPONSES = "/v1/responses"


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway that somebody else has started, which calls the same mock provider."""

    port: int
    path: str
    model: str
    tree: ProcessTree | None = None


@dataclass(frozen=True, slots=True)
class Front:
    """One front process."""

    port: int
    tree: ProcessTree


class Stage:
    """The processes of a run: what is measured on one core, the rest on another."""

    def __init__(
        self, folder: Path, mock_port: int | None = None, peer: Peer | None = None
    ) -> None:
        self.folder = folder
        self.peer = peer
        self.cores: Cores = cores()
        self.mock_port = mock_port or free_port()
        self._closing = ExitStack()
        self._muninns = 0

    def __enter__(self) -> "Stage":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            os.sched_setaffinity(0, self.cores.others)
            if self.peer and self.peer.tree:
                self.peer.tree.pin(self.cores.measured)
            self.mock = self._start_mock()
            self.store = StoreServer(self.folder / "store")
            self._closing.callback(self.store.stop)
            self.muninn = self.new_muninn(self._closing)
            self.front = self._front_of(self.muninn)
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def new_muninn(self, closing: ExitStack, **settings: Any) -> Muninn:
        """A Muninn on the stage's store and mock; nothing of it runs yet."""
        self._muninns += 1
        folder = self.folder / f"muninn-{self._muninns}"
        folder.mkdir(parents=True)
        rows = {"mock": {"base_url": f"http://{HOST}:{self.mock_port}/v1"}}
        defaults: dict[str, Any] = {
            "providers": json.dumps(rows),
            "default_provider": "mock",
            "max_queued_jobs": 10_000_000,
        }
        muninn = Muninn(folder, self.store.url, **(defaults | settings))
        closing.callback(muninn.stop)
        return muninn

    def fresh_front(self, closing: ExitStack) -> Front:
        """A front that has served nothing yet; it is stopped with ``closing``."""
        return self._front_of(self.new_muninn(closing))

    def fresh_worker(self, closing: ExitStack, **settings: Any) -> ProcessTree:
        """A worker that has run nothing yet; it is stopped with ``closing``."""
        with started_on(self.cores.measured):
            process = self.new_muninn(closing).start_worker(**settings)
        return ProcessTree(process.pid)

    def mock_stats(self) -> dict[str, float]:
        """What the mock has served; its ``most_in_flight`` begins anew with each look."""
        stats: dict[str, float] = requests.get(
            f"http://{HOST}:{self.mock_port}/stats", timeout=5
        ).json()
        return stats

    def store_is_idle(self) -> bool:
        """Whether no job waits or runs."""
        with self.store.client() as client:
            return not any(client.zcard(index) for index in Keys().indexes(0))

    def empty_store(self) -> None:
        """Forget all jobs; only while no worker runs any."""
        with self.store.client() as client:
            client.flushall()

    def _front_of(self, muninn: Muninn) -> Front:
        with started_on(self.cores.measured):
            process = muninn.start_front()
        return Front(muninn.port, ProcessTree(process.pid))

    def _start_mock(self) -> Process:
        argv = [sys.executable, "-m", "tests.bench.mock_provider", str(self.mock_port)]
        mock = Process("mock", argv, self.folder / "mock.log")
        self._closing.callback(mock.kill)
        wait_until(self._mock_serves, "the mock provider serves")
        return mock

    def _mock_serves(self) -> bool:
        with suppress(requests.RequestException):
            return bool(self.mock_stats())
        return False
