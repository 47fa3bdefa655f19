"""Groups of jobs that were submitted together.

A batch and its jobs share a partition, so that the script that ends a job can count it off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from common.jobs import JobRecord
from common.store.job_store import JobStore
from common.store.listing import read_summaries
from common.store.scripts import store_errors


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch: the caller's name for it, and its job."""

    custom_id: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was submitted. ``ended_at_ms`` is when the last of its jobs ended."""

    id: str
    owner: str
    created_at_ms: int
    items: list[BatchItem]
    ended_at_ms: int | None = None
    webhook: str | None = None


class BatchStore:
    """Batches in Redis, beside their jobs."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def create(self, batch: Batch) -> None:
        """Store a batch, before its jobs. It lives as long as a job can, and no longer than the
        longest of its jobs once they have ended."""
        key = self._store.keys.batch(batch.id)
        fields: dict[Any, Any] = {
            "owner": batch.owner,
            "created_at": batch.created_at_ms,
            "items": orjson.dumps([[item.custom_id, item.job_id] for item in batch.items]),
            "remaining": len(batch.items),
        }
        if batch.webhook is not None:
            fields["webhook"] = batch.webhook
        with store_errors():
            pipe = self._store.client.pipeline()
            pipe.hset(key, mapping=fields)
            pipe.pexpire(key, self._store.limits.longest_life_ms)
            pipe.execute()

    def get(self, batch_id: str) -> Batch | None:
        """A batch by its id."""
        names = ["owner", "created_at", "items", "ended_at", "webhook"]
        with store_errors():
            values = self._store.client.hmget(self._store.keys.batch(batch_id), names)
        owner, created_at, items, ended_at, webhook = values
        if not (isinstance(owner, bytes) and created_at and items):
            return None
        return Batch(
            id=batch_id,
            owner=owner.decode(),
            created_at_ms=int(created_at),
            items=[BatchItem(*item) for item in orjson.loads(items)],
            ended_at_ms=int(ended_at) if ended_at else None,
            webhook=webhook.decode() if isinstance(webhook, bytes) else None,
        )

    def jobs(self, items: Iterable[BatchItem]) -> list[JobRecord | None]:
        """The jobs of these items without their answers, None for those that have expired."""
        return read_summaries(self._store, [item.job_id for item in items])

    def delete(self, batch_id: str) -> None:
        """Forget the batch; its jobs stay as they are."""
        with store_errors():
            self._store.client.delete(self._store.keys.batch(batch_id))
