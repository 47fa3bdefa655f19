"""One running Muninn for the tests that leave it as they found it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import OpenAI

from common.jobs import JobRecord
from common.settings import Settings
from common.store import JobStore, open_store
from tests.support.processes import Muninn, StoreServer, free_port
from tests.support.upstream import Upstream


@dataclass(frozen=True)
class Narrow:
    """The address of the narrow Muninn, what is behind it, and a look at it from behind."""

    v1: str
    upstream: Upstream
    store: JobStore

    def record(self, job_id: str) -> JobRecord:
        record = self.store.get(job_id)
        assert record is not None
        return record

    def indexed_jobs(self) -> int:
        keys = [*self.store.keys.indexes(0), self.store.keys.index("held", 0)]
        return sum(int(self.store.client.zcard(key)) for key in keys)


PLANTED_KEY = "planted-provider-key-93b1c7"
BASE_URLS = ["/openai/v1", "/openai", "/v1"]


def provider_rows(url: str) -> str:
    """Rows that lead to one badly behaved server, and one that leads nowhere."""
    row = {"base_url": f"{url}/v1", "api_key_env": "PLANTED_KEY"}
    rows = {
        "upstream": {**row, "models": {"nice": "vendor/nice-2026"}, "headers": {"x-own": "ours"}},
        "impatient": {**row, "read_timeout_seconds": 0.3},
        "down": {"base_url": f"http://127.0.0.1:{free_port()}/v1"},
    }
    return json.dumps(rows)


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream(b"") as server:
        yield server


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """The server behind the providers ``upstream`` and ``impatient``; set its ``script``."""
    shared_upstream.close_idle()
    shared_upstream.seen.clear()
    return shared_upstream


@pytest.fixture(scope="session")
def muninn(
    tmp_path_factory: pytest.TempPathFactory, store_server: StoreServer, shared_upstream: Upstream
) -> Iterator[Muninn]:
    """A front and a worker on a store, all shared by the session. Not to be killed."""
    running = Muninn(
        tmp_path_factory.mktemp("muninn"),
        store_server.url,
        providers=provider_rows(shared_upstream.url),
        default_provider="echo",
        stream_heartbeat_seconds=0.2,
        max_result_ttl_seconds=7200,
    )
    running.env["PLANTED_KEY"] = PLANTED_KEY
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def narrow_upstream() -> Iterator[Upstream]:
    with Upstream(b"") as server:
        yield server


@pytest.fixture(scope="session")
def narrow_muninn(
    tmp_path_factory: pytest.TempPathFactory, narrow_upstream: Upstream
) -> Iterator[Muninn]:
    """A Muninn with the tightest of limits: one job at a time, four that wait, two calls each."""
    folder = tmp_path_factory.mktemp("narrow")
    server = StoreServer(folder / "store")
    running = Muninn(
        folder,
        server.url,
        providers=provider_rows(narrow_upstream.url),
        default_provider="upstream",
        worker_concurrency=1,
        max_queued_jobs=4,
        max_provider_attempts=2,
        run_deadline_seconds=20,
        keep_input_bytes=1000,
    )
    running.env["PLANTED_KEY"] = PLANTED_KEY
    try:
        yield running.start()
    finally:
        running.stop()
        server.stop()


@pytest.fixture
def narrow(narrow_muninn: Muninn, narrow_upstream: Upstream) -> Iterator[Narrow]:
    """The narrow Muninn, idle, and the server behind its provider; set its ``script``."""
    store = open_store(Settings(redis_url=narrow_muninn.env["MUNINN_REDIS_URL"]))
    narrow_upstream.close_idle()
    narrow_upstream.seen.clear()
    narrow = Narrow(f"{narrow_muninn.root}/openai/v1", narrow_upstream, store)
    yield narrow
    assert narrow.indexed_jobs() == 0, "a job was left behind"
    store.client.close()


@pytest.fixture(scope="session", params=BASE_URLS)
def base_url(request: pytest.FixtureRequest, muninn: Muninn) -> str:
    """Each place that an SDK's base_url may point to."""
    return muninn.root + str(request.param)


@pytest.fixture(scope="session")
def v1(muninn: Muninn) -> str:
    """One of them, for what does not depend on it."""
    return f"{muninn.root}/openai/v1"


@pytest.fixture
def client(muninn: Muninn) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{muninn.root}/openai/v1", api_key="unused", max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def any_client(base_url: str) -> Iterator[OpenAI]:
    """The SDK at each base_url in turn."""
    with OpenAI(base_url=base_url, api_key="unused", max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def job_store(store_server: StoreServer) -> Iterator[JobStore]:
    """The jobs of the shared Muninn, seen from behind."""
    store = open_store(Settings(redis_url=store_server.url))
    yield store
    store.client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
