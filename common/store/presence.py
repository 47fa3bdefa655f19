"""The workers that are there: each says so every few seconds, and is forgotten when it stops."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson

from common.store.job_store import JobStore
from common.store.scripts import Argument, store_errors

EVERY_SECONDS = 5.0
HOLDS_MS = 15_000


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker process: ``running`` of its ``slots`` are taken by jobs. Times are in ms; the store
    says when it has ``seen`` it last."""

    id: str
    host: str
    pid: int
    version: str
    slots: int
    running: int
    started_at_ms: int
    seen_at_ms: int = 0


class Presence:
    """Who is there. Every method raises ServiceUnavailable when Redis is away."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._key = store.keys.workers()

    def say(self, worker: WorkerState) -> None:
        """The worker is there, for a while."""
        self._put(worker.id, orjson.dumps(asdict(worker)))

    def leave(self, worker_id: str) -> None:
        """The worker is gone."""
        self._put(worker_id, b"")

    def workers(self, now_ms: int) -> list[WorkerState]:
        """Those that have spoken lately, the oldest first. ``now_ms`` is the store's time."""
        with store_errors():
            stored: dict[Any, Any] = self._store.client.hgetall(self._key)
        found = [_worker_of(value) for value in stored.values()]
        present = [worker for worker in found if now_ms - worker.seen_at_ms <= HOLDS_MS]
        return sorted(present, key=lambda worker: (worker.started_at_ms, worker.id))

    def _put(self, worker_id: str, said: bytes) -> None:
        args: list[Argument] = [worker_id, said, HOLDS_MS]
        self._store.scripts.run("presence", [self._key], args, is_quiet=True)


def _worker_of(stored: bytes) -> WorkerState:
    """Fields that a newer version knows are left out: while a deploy rolls, both run."""
    seen_at_ms, _, said = stored.partition(b" ")
    known = {field.name for field in fields(WorkerState)}
    given = {name: value for name, value in orjson.loads(said).items() if name in known}
    return WorkerState(**{**given, "seen_at_ms": int(seen_at_ms)})
