"""What the unit tests share: a store on fakeredis."""

from collections.abc import Iterator

import fakeredis
import pytest

from common.store.job_store import JobStore, StoreLimits
from common.store.keys import JOBS_QUEUE, Keys


@pytest.fixture
def redis_client() -> Iterator[fakeredis.FakeRedis]:
    client = fakeredis.FakeRedis()
    yield client
    client.close()


@pytest.fixture
def store(redis_client: fakeredis.FakeRedis) -> JobStore:
    limits = StoreLimits(lease_ms=30_000, max_queued_jobs=5, keep_input_bytes=64)
    return JobStore(redis_client, Keys(queue=JOBS_QUEUE), limits)
