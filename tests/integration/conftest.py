"""One running Muninn for the tests that leave it as they found it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from common.settings import Settings
from common.store import JobStore, open_store
from tests.support.processes import Muninn, StoreServer, free_port
from tests.support.upstream import Upstream

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
