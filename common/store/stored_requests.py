"""What a job was submitted with, as long as it is stored, to show it or to submit it again."""

from dataclasses import dataclass, field
from typing import Any

from common.store.job_store import JobStore
from common.store.keys import bound_key
from common.store.scripts import store_errors


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The request body of a job, and what was asked for beside it.

    ``options`` are ``CallOptions`` as JSON; ``gate`` names the bound on the running jobs of its
    owner, where there was one.
    """

    request: bytes = field(repr=False)
    options: bytes = b"{}"
    ttl_seconds: int = 0
    gate: str | None = None


def read_request(store: JobStore, job_id: str) -> StoredRequest | None:
    """What is stored; None when the request is not kept any more. Raises ServiceUnavailable."""
    fields = ["request", "options", "ttl_seconds", "peers"]
    with store_errors():
        values: list[Any] = store.client.hmget(store.keys.job(job_id), fields)
    request, options, ttl_seconds, gate = values
    if request is None:
        return None
    name = gate.decode() if gate else None
    return StoredRequest(request, options or b"{}", int(ttl_seconds or 0), name)


def bound_of(store: JobStore, stored: StoredRequest) -> int | None:
    """The bound that holds for the owner's running jobs. Raises ServiceUnavailable."""
    if stored.gate is None:
        return None
    with store_errors():
        bound: Any = store.client.get(bound_key(stored.gate))
    return int(bound) if bound is not None else None
