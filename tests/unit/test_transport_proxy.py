"""Proxies that the environment names."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from common.errors import ProviderConnectTimeout, ProviderUnreachable
from common.providers.transport import LeanAdapter, UpstreamRequest
from tests.support.upstream import HOLD, Peer, Seen, Upstream, answer, html_answer

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.fixture
def adapter() -> Iterator[LeanAdapter]:
    adapter = LeanAdapter()
    yield adapter
    adapter.close()


def body_of(adapter: LeanAdapter, url: str, connect_seconds: float = 5.0) -> bytes:
    request = UpstreamRequest()
    request.prepare(method="POST", url=url, data=b"{}")
    return adapter.send(request, timeout=(connect_seconds, 5.0)).content


def tunnel(peer: Peer, seen: Seen) -> None:
    """What a proxy does on CONNECT: relay bytes both ways until one side ends."""
    port = int(seen.target.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as target:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=relay, args=(target, peer.sock))
        back.start()
        relay(peer.sock, target)
        back.join()
    peer.cut()


def relay(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        socket.socket.shutdown(sink, socket.SHUT_WR)
    except OSError:
        return


def test_plain_http_goes_to_the_proxy_with_the_whole_url(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(answer(b"from the proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:pass%20word@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://me:pass%20word@127.0.0.1:{proxy.port}")
        for _ in range(2):
            assert body_of(adapter, "http://provider.example/v1?a=b") == b"from the proxy"
        seen = proxy.seen[1]
        assert proxy.connections == 1
    assert seen.target == "http://provider.example/v1?a=b"
    assert seen.headers["host"] == "provider.example"
    assert seen.headers["proxy-authorization"] == "Basic bWU6cGFzcyB3b3Jk"


def test_no_proxy_is_respected(adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    with Upstream(answer(b"direct")) as upstream, Upstream(answer(b"proxied")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert body_of(adapter, upstream.url) == b"direct"


def test_https_goes_through_a_tunnel(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch, context: ssl.SSLContext
) -> None:
    with Upstream(answer(b"ok"), tls=context) as upstream, Upstream(tunnel) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{proxy.port}")
        for _ in range(2):
            assert body_of(adapter, upstream.url + "/v1") == b"ok"
        adapter.close()
    assert [seen.method for seen in proxy.seen] == ["CONNECT"]
    assert proxy.seen[0].target == f"localhost:{upstream.port}"
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert upstream.seen[0].target == "/v1"
    assert "proxy-authorization" not in upstream.seen[0].headers


def test_https_goes_through_a_proxy_that_speaks_tls_itself(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch, context: ssl.SSLContext
) -> None:
    with Upstream(answer(b"ok"), tls=context) as upstream:
        with Upstream(tunnel, tls=context) as proxy:
            monkeypatch.setenv("https_proxy", f"https://localhost:{proxy.port}")
            assert body_of(adapter, upstream.url) == b"ok"
            adapter.close()
        assert proxy.seen[0].method == "CONNECT"


def test_a_proxy_that_refuses_is_named_without_its_credentials(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(html_answer("no", status=407)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:hunter2@127.0.0.1:{proxy.port}")
        with pytest.raises(ProviderUnreachable, match=r"through the proxy.*407") as caught:
            body_of(adapter, "https://provider.example/")
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_hangs_is_a_connect_timeout(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(HOLD) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(ProviderConnectTimeout):
            body_of(adapter, "https://provider.example/", connect_seconds=0.05)


def test_a_kind_of_proxy_that_is_not_supported_is_named(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ProviderUnreachable, match="socks5"):
        body_of(adapter, "https://provider.example/")
