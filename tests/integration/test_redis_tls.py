"""Redis behind TLS: every one who connects to it does so by `rediss://` and looks who is there."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from common.errors import ServiceUnavailable
from common.store.connection import connect
from common.store.scripts import store_errors
from tests.chaos.proxy import StoreProxy
from tests.support.calling import poll_to_the_end, post, submit
from tests.support.guarded import muninn_keys
from tests.support.processes import HOST, Muninn, StoreServer


@dataclass(frozen=True)
class Guard:
    """A store that is reached through TLS, and the certificate of who vouches for it."""

    port: int
    bundle: Path

    def url(self, bundle: Path | None = None) -> str:
        return f"rediss://{HOST}:{self.port}/5?ssl_ca_certs={bundle or self.bundle}"


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory, store_server: StoreServer) -> Iterator[Guard]:
    bundle = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.cert_pem.write_to_path(str(bundle))
    proxy = StoreProxy(store_server.port, context)
    yield Guard(proxy.port, bundle)
    proxy.stop()


def test_a_job_goes_all_its_way_by_tls(guard: Guard, tmp_path: Path) -> None:
    muninn = Muninn(tmp_path, guard.url(), default_provider="echo")
    try:
        base_url = f"{muninn.start().root}/openai/v1"
        assert poll_to_the_end(base_url, submit(base_url))["output_text"] == "hi"
        waited = post(
            base_url, {"model": "echo/hello", "input": "hi"}, x_bf_async="true", prefer="wait=20"
        )
        assert waited.json()["status"] == "completed"
        made = muninn_keys("create", "--name", "by-tls", MUNINN_REDIS_URL=guard.url())
        assert made.returncode == 0, made.stderr
        listed = muninn_keys("list", MUNINN_REDIS_URL=guard.url())
        assert "by-tls" in listed.stdout, listed.stderr
    finally:
        muninn.stop()
    for process in (*muninn.fronts, *muninn.workers):
        assert "Traceback" not in process.log_text()


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(guard: Guard, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    client = connect(guard.url(stranger))
    with pytest.raises(ServiceUnavailable), store_errors():
        client.ping()
    client.close()
