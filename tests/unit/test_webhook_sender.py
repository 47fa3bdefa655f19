"""Posting events to receivers that nobody vouches for, over real sockets."""

import socket
import time

import pytest
import trustme

from common.webhooks.addresses import is_public
from common.webhooks.sender import NotDelivered, Sender
from tests.support.processes import free_port
from tests.support.upstream import CUT, HOLD, Upstream, answer, head

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
INNER = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::",
    "2002:808:808::", "2001:0:7f00:1::", "2606:4700::5efe:127.0.0.1",
    "localhost", "", "1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_in_any_dress_are_not(address) -> None:
    assert not is_public(address)


def post(url, *, timeout_seconds=5.0, allow_private=True) -> int:
    sender = Sender(timeout_seconds, allow_private=allow_private)
    return sender.post(url, b'{"a":1}', {"webhook-id": "evt_1"})


def reason_of(url, **options) -> str:
    with pytest.raises(NotDelivered) as caught:
        post(url, **options)
    return caught.value.reason


def test_an_event_is_posted_as_json_and_the_status_comes_back() -> None:
    with Upstream(answer(b"thanks", status=202)) as receiver:
        assert post(f"{receiver.url}/in?a=b") == 202
    (seen,) = receiver.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/in?a=b", b'{"a":1}')
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["webhook-id"] == "evt_1"
    assert seen.headers["user-agent"].startswith("muninn/")


def test_a_redirect_is_an_answer_like_any_other() -> None:
    with Upstream(b"") as other, Upstream(b"") as receiver:
        receiver.script = [answer(status=307, headers={"location": f"{other.url}/stolen"})]
        assert post(receiver.url) == 307
    assert other.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_private_address_is_not_even_connected_to(host) -> None:
    with Upstream(answer()) as receiver:
        assert reason_of(f"http://{host}:{receiver.port}/", allow_private=False) == (
            "private_address"
        )
    assert receiver.connections == 0


def test_a_name_that_leads_elsewhere_after_the_check_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: each look-up answers something else; only the first is ever made."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    connected = []

    def look_up(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(sock, address) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    assert reason_of("http://rebind.example:81/", allow_private=False) == "unreachable"
    assert connected == [("93.184.216.34", 81)]


def test_a_name_with_one_inner_address_among_others_is_refused_at_that_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look_up(host, port, **_):
        mapped = "::ffff:169.254.169.254"
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (mapped, port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert reason_of("http://metadata.example/", allow_private=False) == "private_address"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    with Upstream(answer()) as receiver:
        assert post(receiver.url) == 200


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (HOLD, "timeout"),
        ([head()[:9], HOLD], "timeout"),
        ([*([b"H", 0.1] * 50)], "timeout"),
        (CUT, "unreachable"),
        (b"gibberish\r\n\r\n", "unreachable"),
    ],
    ids=["hangs", "hangs in its answer", "drips", "hangs up", "speaks no HTTP"],
)
def test_a_bad_receiver_costs_no_more_than_the_timeout(step, reason) -> None:
    with Upstream(step) as receiver:
        began = time.monotonic()
        assert reason_of(receiver.url, timeout_seconds=0.4) == reason
        assert time.monotonic() - began < 4  # a whole dripping answer takes longer
        receiver.close_idle()


def test_an_endless_body_is_not_read() -> None:
    def endless(peer, seen) -> None:
        while True:
            peer.send(b"x" * 65536)

    with Upstream([head({"content-length": "1000000000"}), endless]) as receiver:
        assert post(receiver.url) == 200


def test_nobody_listening_and_an_unknown_name_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert reason_of(f"http://127.0.0.1:{free_port()}/") == "unreachable"

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert reason_of("http://no.example/") == "unknown_host"


@pytest.fixture
def authority(tmp_path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return ca


def serving(certificate: trustme.LeafCert):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_tls_is_verified_against_the_name_and_not_the_address(authority) -> None:
    tls = serving(authority.issue_cert("localhost"))
    with Upstream(answer(), tls=tls) as receiver:
        assert post(receiver.url) == 200
    assert receiver.seen[0].headers["host"] == f"localhost:{receiver.port}"


def test_a_certificate_of_another_name_is_refused(authority) -> None:
    tls = serving(authority.issue_cert("other.example"))
    with Upstream(answer(), tls=tls) as receiver:
        assert reason_of(receiver.url) == "tls_failed"
    assert receiver.seen == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0", "[::ffff:7f00:1]"]
)
def test_no_way_to_write_an_inner_address_hides_it(host):
    assert reason_of(f"http://{host}:81/", allow_private=False) == "private_address"
