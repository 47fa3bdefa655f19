"""The events of streamed jobs: appended by the attempt that runs, read from any front.

A job's events live in a Redis Stream beside its record, and end with it. The id of an entry is its
sequence number; the last entry of all marks the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from common.jobs import Claim
from common.sse import SseEvent
from common.store.job_store import JobStore
from common.store.scripts import Argument, store_errors


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its sequence number; without an event it marks the end of the job."""

    sequence: int
    event: SseEvent | None


@dataclass(frozen=True, slots=True)
class Append:
    """Events to append for one attempt.

    ``partial`` is the output so far, as JSON, when it is to be stored; ``response_id`` the
    provider's id, when it has just become known.
    """

    claim: Claim
    events: Sequence[StoredEvent]
    partial: bytes = b""
    response_id: str = ""


class JobEvents:
    """Reads and writes the events of all jobs.

    ``cap`` is how many events a job keeps at least, and hardly more; ``alias_seconds`` how long a
    provider's id that is known before the end leads to its job.
    """

    def __init__(
        self, store: JobStore, readers: "redis.Redis", *, cap: int, alias_seconds: int
    ) -> None:
        self._store = store
        self._readers = readers
        self.cap = cap
        self._alias_seconds = alias_seconds

    def append(self, batch: Sequence[Append]) -> list[bool]:
        """Append for many jobs in one round trip; False where the attempt is not current."""
        firsts = [self._alias(append) for append in batch if append.response_id]
        calls = [
            (self._store.keys.of_script(append.claim.job_id), self._arguments(append))
            for append in batch
        ]
        return [bool(done) for done in self._store.scripts.run_many("append", calls, firsts)]

    def _alias(self, append: Append) -> list[Argument]:
        key = self._store.keys.alias(append.response_id)
        return ["SET", key, append.claim.job_id, "EX", self._alias_seconds]

    def _arguments(self, append: Append) -> list[Argument]:
        claim = append.claim
        arguments: list[Argument] = [claim.job_id, claim.token, self.cap]
        arguments += [append.partial, append.response_id]
        for stored in append.events:
            if stored.event is not None:
                arguments += [stored.sequence, stored.event.name, stored.event.data]
        return arguments

    def read(self, job_id: str, after: int, block_seconds: float) -> list[StoredEvent]:
        """Events after a sequence number, waiting for the first for at most ``block_seconds``."""
        key = self._store.keys.events(job_id)
        block_ms = max(1, int(block_seconds * 1000))  # 0 would be for ever
        with store_errors():
            found = self._readers.xread({key: f"0-{max(after, 0)}"}, count=500, block=block_ms)
        return [_stored(entry_id, fields) for entry_id, fields in _entries(found)]


def _entries(found: object) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of one stream, in either form that the two Redis protocols give them."""
    if isinstance(found, dict):
        pages: list[list[tuple[bytes, dict[bytes, bytes]]]] = next(iter(found.values()), [[]])
        return list(pages[0]) if pages else []
    if isinstance(found, list) and found:
        return list(found[0][1])
    return []


def _stored(entry_id: bytes, fields: dict[bytes, bytes]) -> StoredEvent:
    sequence = int(entry_id.partition(b"-")[2])
    if b"end" in fields:
        return StoredEvent(sequence, None)
    return StoredEvent(sequence, SseEvent(fields[b"name"], fields[b"data"]))
