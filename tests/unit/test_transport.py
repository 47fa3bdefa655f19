"""The lean transport against a real server: framing, pooling, limits, codings."""

import threading
import zlib
from collections.abc import Iterator

import pytest
import requests

from common.errors import ProviderInvalidAnswer
from common.providers.base import UpstreamCall
from common.providers.pool import ConnectionPool
from common.providers.transport import LeanAdapter, UpstreamRequest, upstream_session
from tests.support.upstream import (
    CUT,
    HOLD,
    Upstream,
    answer,
    chunked,
    gzip_answer,
    head,
    json_answer,
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with upstream_session() as session:
        yield session


def posted(session: requests.Session, upstream: Upstream, body: bytes = b"{}") -> bytes:
    response = session.post(upstream.url + "/v1/responses?a=b", data=body, timeout=5)
    return response.content


def test_a_request_arrives_as_it_was_sent_and_its_answer_comes_back(
    session: requests.Session,
) -> None:
    with Upstream(json_answer({"id": 1}, status=201, headers={"X-Two": "a"})) as upstream:
        response = session.post(upstream.url + "/v1/x?a=b", data=b"{}", headers={"k": "v"})
        seen = upstream.seen[0]
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/x?a=b", b"{}")
    assert seen.headers["k"] == "v"
    assert seen.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert (response.status_code, response.reason) == (201, "Created")
    assert response.json() == {"id": 1}
    assert response.headers["x-two"] == "a"


def test_a_connection_is_used_again_after_its_answer_was_read(session: requests.Session) -> None:
    with Upstream(json_answer({})) as upstream:
        for _ in range(3):
            posted(session, upstream)
        assert upstream.connections == 1


def test_calls_at_the_same_time_have_connections_of_their_own(session: requests.Session) -> None:
    go = threading.Event()
    with Upstream([go, json_answer({})]) as upstream:
        threads = [threading.Thread(target=posted, args=(session, upstream)) for _ in range(8)]
        for thread in threads:
            thread.start()
        upstream.wait_for_requests(8)
        go.set()
        for thread in threads:
            thread.join()
        assert upstream.connections == 8
        posted(session, upstream)
        assert upstream.connections == 8


def test_connections_beyond_the_idle_limit_are_closed() -> None:
    adapter = LeanAdapter(ConnectionPool(max_idle_per_origin=0))
    with Upstream(json_answer({})) as upstream, requests.Session() as session:
        session.mount("http://", adapter)
        posted(session, upstream)
        assert upstream.seen[0].left.wait(5)


def test_a_connection_that_was_idle_for_too_long_is_replaced() -> None:
    adapter = LeanAdapter(ConnectionPool(max_idle_seconds=0))
    with Upstream(json_answer({})) as upstream, requests.Session() as session:
        session.mount("http://", adapter)
        posted(session, upstream)
        posted(session, upstream)
        assert upstream.connections == 2


def test_closing_the_session_closes_idle_connections() -> None:
    with Upstream(json_answer({})) as upstream:
        with upstream_session() as session:
            posted(session, upstream)
        assert upstream.seen[0].left.wait(5)


def test_a_connection_is_not_kept_when_the_server_says_close(session: requests.Session) -> None:
    with Upstream(answer(b"{}", headers={"connection": "close"})) as upstream:
        posted(session, upstream)
        posted(session, upstream)
        assert upstream.connections == 2


def test_a_connection_is_not_kept_when_bytes_follow_the_answer(session: requests.Session) -> None:
    with Upstream(answer(b"{}") + answer(b"unasked")) as upstream:
        assert posted(session, upstream) == b"{}"
        assert posted(session, upstream) == b"{}"
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answer(b"hello world"), id="content-length"),
        pytest.param(chunked(b"hello ", b"world"), id="chunked"),
        pytest.param([head(), b"hello ", b"world", CUT], id="until-close"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\nhello world", CUT], id="http-1.0"),
        pytest.param(
            [head(status=100), head({"link": "x"}, status=103), answer(b"hello world")], id="1xx"
        ),
        pytest.param(head(status=100) + answer(b"hello world"), id="1xx in one packet"),
        pytest.param(
            [bytes([byte]) for byte in answer(b"hello world", headers={"a": "b"})],
            id="byte by byte",
        ),
    ],
)
def test_every_framing_of_an_answer_is_read(session: requests.Session, script: list[bytes]) -> None:
    with Upstream(script) as upstream:
        assert posted(session, upstream) == b"hello world"


def test_headers_of_a_1xx_answer_are_not_those_of_the_answer(session: requests.Session) -> None:
    with Upstream(head({"link": "x"}, status=103) + answer(b"{}")) as upstream:
        response = session.post(upstream.url, data=b"{}", timeout=5)
    assert "link" not in response.headers


def test_a_204_has_no_body_and_its_connection_is_kept(session: requests.Session) -> None:
    with Upstream(head(status=204)) as upstream:
        assert posted(session, upstream) == b""
        assert posted(session, upstream) == b""
        assert upstream.connections == 1


def test_a_header_sent_twice_is_joined(session: requests.Session) -> None:
    with Upstream(b"HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nContent-Length: 0\r\n\r\n") as upstream:
        response = session.post(upstream.url, data=b"{}", timeout=5)
    assert response.headers["a"] == "1, 2"


def test_a_redirect_is_not_followed_by_the_adapter() -> None:
    with Upstream(head({"location": "/other", "content-length": "0"}, status=307)) as upstream:
        adapter = LeanAdapter()
        response = adapter.send(requests.Request("POST", upstream.url).prepare())
        assert response.status_code == 307
        assert len(upstream.seen) == 1
        adapter.close()


def test_a_large_request_and_answer_come_through_whole(session: requests.Session) -> None:
    body = b"x" * 5_000_000
    with Upstream(lambda peer, seen: peer.send(answer(seen.body))) as upstream:
        assert posted(session, upstream, body) == body


def test_an_answer_longer_than_allowed_is_refused(session: requests.Session) -> None:
    with Upstream([head(), b"x" * 100_000, HOLD]) as upstream:
        response = session.post(upstream.url, data=b"{}", timeout=5, stream=True)
        with pytest.raises(ProviderInvalidAnswer, match="longer than 1000 bytes"):
            response.raw.read_all(1000)
        assert upstream.seen[0].left.wait(5)


def test_a_head_that_never_ends_is_refused(session: requests.Session) -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"a: " + b"x" * 200_000
    with Upstream([endless, HOLD]) as upstream, pytest.raises(ProviderInvalidAnswer, match="head"):
        posted(session, upstream)


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot-a-size\r\n",
    ],
)
def test_what_is_not_http_is_an_invalid_answer(session: requests.Session, garbage: bytes) -> None:
    with (
        Upstream([garbage, HOLD]) as upstream,
        pytest.raises(ProviderInvalidAnswer, match="not valid HTTP"),
    ):
        posted(session, upstream)


def deflated(data: bytes, window: int) -> bytes:
    packer = zlib.compressobj(wbits=window)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    "script",
    [
        gzip_answer({"a": 1}),
        answer(deflated(b'{"a": 1}', 15), headers={"content-encoding": "deflate"}),
        answer(deflated(b'{"a": 1}', -15), headers={"content-encoding": "Deflate"}),
        answer(b'{"a": 1}', headers={"content-encoding": "identity"}),
    ],
)
def test_a_compressed_answer_is_unpacked(session: requests.Session, script: bytes) -> None:
    with Upstream(script) as upstream:
        assert posted(session, upstream) == b'{"a": 1}'


@pytest.mark.parametrize(
    ("body", "coding"),
    [(b"{}", "br"), (b"not gzip", "gzip"), (b"not deflate", "deflate"), (b"", "gzip")],
)
def test_a_coding_that_is_unknown_or_broken_is_an_invalid_answer(
    session: requests.Session, body: bytes, coding: str
) -> None:
    broken = answer(body, headers={"content-encoding": coding})
    with Upstream(broken) as upstream, pytest.raises(ProviderInvalidAnswer):
        posted(session, upstream)


def test_a_header_with_a_line_end_is_never_sent() -> None:
    request = UpstreamRequest(UpstreamCall())
    request.method, request.body = "POST", b"{}"
    adapter = LeanAdapter()
    with Upstream(json_answer({})) as upstream:
        request.url = upstream.url
        request.headers = requests.structures.CaseInsensitiveDict({"a": "b\r\nevil: yes"})
        with pytest.raises(requests.exceptions.InvalidHeader) as caught:
            adapter.send(request)
        assert "evil" not in str(caught.value)
        assert upstream.seen == []


def test_closing_a_response_in_its_middle_closes_the_connection(session: requests.Session) -> None:
    with Upstream([head(), b"half", HOLD]) as upstream:
        response = session.post(upstream.url, data=b"{}", timeout=5, stream=True)
        response.close()
        response.close()
        assert upstream.seen[0].left.wait(5)


def test_many_threads_share_one_adapter(session: requests.Session) -> None:
    wrong: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(25):
            body = b"%d/%d" % (number, turn)
            if posted(session, upstream, body) != body:
                wrong.append(body)

    with Upstream(lambda peer, seen: peer.send(answer(seen.body))) as upstream:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(upstream.seen) == 200
        assert upstream.connections <= 8
    assert wrong == []
