"""TLS: what is trusted, and that timeouts, ticks and aborts work under it too."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from common.errors import (
    CallAborted,
    ProviderConnectTimeout,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.providers.base import UpstreamCall
from common.providers.transport import LeanAdapter, UpstreamRequest
from tests.support.upstream import CUT, HOLD, Upstream, answer, head

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, bundle: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.fixture
def adapter() -> Iterator[LeanAdapter]:
    adapter = LeanAdapter()
    yield adapter
    adapter.close()


def send(
    adapter: LeanAdapter,
    url: str,
    call: UpstreamCall | None = None,
    timeout: tuple[float, float] = (5.0, 5.0),
) -> requests.Response:
    request = UpstreamRequest(call)
    request.prepare(method="POST", url=url, data=b"{}")
    return adapter.send(request, timeout=timeout)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_that_the_environment_trusts_are_trusted(
    adapter: LeanAdapter,
    context: ssl.SSLContext,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(variable, str(bundle))
    with Upstream(answer(b"ok"), tls=context) as upstream:
        assert send(adapter, upstream.url).content == b"ok"
        assert send(adapter, upstream.url).content == b"ok"
        assert upstream.connections == 1


def test_an_unknown_authority_is_not_trusted(
    adapter: LeanAdapter, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with (
        Upstream(answer(b"ok"), tls=context) as upstream,
        pytest.raises(ProviderUnreachable, match="certificate is not valid"),
    ):
        send(adapter, upstream.url)


def test_a_certificate_for_another_name_is_not_trusted(
    adapter: LeanAdapter, context: ssl.SSLContext
) -> None:
    with (
        Upstream(answer(b"ok"), tls=context) as upstream,
        pytest.raises(ProviderUnreachable, match="certificate is not valid"),
    ):
        send(adapter, f"https://127.0.0.1:{upstream.port}/")


def test_a_bundle_that_is_not_there_is_named(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(ProviderUnreachable, match=r"none\.pem cannot be read"):
        send(adapter, "https://localhost:1/")


def test_a_server_without_tls_is_unreachable_by_it(adapter: LeanAdapter) -> None:
    def answer_plainly() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(answer(b"not so", status=400))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_plainly)
        thread.start()
        with pytest.raises(ProviderUnreachable, match="TLS failed"):
            send(adapter, f"https://localhost:{listener.getsockname()[1]}/")
        thread.join()


def test_a_handshake_that_hangs_is_a_connect_timeout(adapter: LeanAdapter) -> None:
    with Upstream(HOLD) as upstream, pytest.raises(ProviderConnectTimeout):
        send(adapter, f"https://localhost:{upstream.port}/", timeout=(0.1, 5.0))


def test_a_handshake_can_be_aborted(adapter: LeanAdapter) -> None:
    call = UpstreamCall()
    with Upstream(HOLD) as upstream:
        timer = threading.Timer(0.05, call.abort, ["cancelled"])
        timer.start()
        with pytest.raises(CallAborted):
            send(adapter, f"https://localhost:{upstream.port}/", call, timeout=(30.0, 30.0))
        timer.join()


def test_ticks_and_reading_on_work_under_tls(adapter: LeanAdapter, context: ssl.SSLContext) -> None:
    more = threading.Event()
    script = [head({"content-length": "9"}), more, b"some more"]
    with Upstream(script, tls=context) as upstream:
        body = send(adapter, upstream.url).raw
        assert body.read_some(0.01) is None
        assert body.read_some(0.01) is None
        more.set()
        assert body.read_all(100) == b"some more"


def test_silence_is_a_timeout_under_tls(adapter: LeanAdapter, context: ssl.SSLContext) -> None:
    with Upstream([HOLD], tls=context) as upstream, pytest.raises(ProviderTimeout):
        send(adapter, upstream.url, timeout=(5.0, 0.05))


@pytest.mark.parametrize(
    ("begun", "failure"),
    [(b"", ProviderUnreachable), (b"HTTP/1.1 200 OK\r\n", ProviderInvalidAnswer)],
)
def test_a_cut_is_told_apart_by_the_first_byte_under_tls(
    adapter: LeanAdapter, context: ssl.SSLContext, begun: bytes, failure: type[Exception]
) -> None:
    with Upstream([begun, CUT], tls=context) as upstream, pytest.raises(failure):
        send(adapter, upstream.url)


def test_an_idle_connection_that_was_closed_is_replaced_under_tls(
    adapter: LeanAdapter, context: ssl.SSLContext
) -> None:
    with Upstream(answer(b"ok"), tls=context) as upstream:
        assert send(adapter, upstream.url).content == b"ok"
        upstream.close_idle()
        assert send(adapter, upstream.url).content == b"ok"


def test_abort_from_another_thread_ends_a_call_under_tls(
    adapter: LeanAdapter, context: ssl.SSLContext
) -> None:
    call = UpstreamCall()
    with Upstream([head({"content-length": "9"}), b"half", HOLD], tls=context) as upstream:
        aborter = threading.Thread(
            target=lambda: (upstream.wait_for_requests(1), call.abort("cancelled"))
        )
        aborter.start()
        with pytest.raises(CallAborted):
            send(adapter, upstream.url, call).raw.read_all(100)
        assert upstream.seen[0].left.wait(5)
        aborter.join()
