"""Connections that die, hang or are aborted, and what that means for the caller."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from common.errors import (
    CallAborted,
    ProviderConnectTimeout,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.providers.base import UpstreamCall
from common.providers.transport import LeanAdapter, UpstreamRequest
from tests.support.upstream import CUT, HOLD, RESET, Upstream, answer, head


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def adapter() -> Iterator[LeanAdapter]:
    adapter = LeanAdapter()
    yield adapter
    adapter.close()


def send(
    adapter: LeanAdapter,
    url: str,
    *,
    call: UpstreamCall | None = None,
    timeout: tuple[float, float] = (5.0, 5.0),
    body: bytes = b"{}",
) -> requests.Response:
    request = UpstreamRequest(call)
    request.prepare(method="POST", url=url, data=body)
    return adapter.send(request, timeout=timeout)


def test_a_refused_connection_is_unreachable_and_says_where(adapter: LeanAdapter) -> None:
    with Upstream() as upstream:
        port = upstream.port
    with pytest.raises(
        ProviderUnreachable, match=f"127.0.0.1:{port}: connection refused"
    ) as caught:
        send(adapter, f"http://user:hunter2@127.0.0.1:{port}/")
    assert caught.value.retryable
    assert "hunter2" not in str(caught.value)


def test_an_unknown_name_is_unreachable(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ProviderUnreachable, match=r"nowhere\.invalid:80: its name is not known"):
        send(adapter, "http://nowhere.invalid/")


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that never answers a connection attempt: its queue of them is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for sock in waiting:
            sock.close()


def test_a_connection_that_is_not_made_in_time_may_be_tried_again(
    adapter: LeanAdapter, black_hole: int
) -> None:
    with pytest.raises(ProviderConnectTimeout) as caught:
        send(adapter, f"http://127.0.0.1:{black_hole}/", timeout=(0.05, 5.0))
    assert caught.value.retryable


def test_the_next_address_is_tried_when_one_refuses(
    adapter: LeanAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream() as gone:
        refusing = gone.port
    with Upstream(answer(b"ok")) as upstream:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        addresses = [(*kind, ("127.0.0.1", port)) for port in (refusing, upstream.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: addresses)
        assert send(adapter, f"http://two.example:{upstream.port}/").content == b"ok"


@pytest.mark.parametrize("end", [CUT, RESET])
def test_a_connection_that_ends_before_a_byte_of_answer_may_be_tried_again(
    adapter: LeanAdapter, end: object
) -> None:
    with Upstream([end]) as upstream, pytest.raises(ProviderUnreachable) as caught:
        send(adapter, upstream.url)
    assert caught.value.retryable
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("end", [CUT, RESET])
@pytest.mark.parametrize("begun", [b"H", head({"content-length": "9"})[:-1], head(status=100)])
def test_a_connection_that_ends_in_the_head_is_an_invalid_answer(
    adapter: LeanAdapter, begun: bytes, end: object
) -> None:
    # The pause lets the bytes be read before a reset throws away what was not.
    with Upstream([begun, 0.05, end]) as upstream, pytest.raises(ProviderInvalidAnswer) as caught:
        send(adapter, upstream.url)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "begun",
    [
        head({"content-length": "9"}) + b"half",
        head({"transfer-encoding": "chunked"}) + b"4\r\nhalf\r\n",
    ],
)
def test_a_connection_that_ends_in_the_body_is_an_invalid_answer(
    adapter: LeanAdapter, begun: bytes
) -> None:
    with Upstream([begun, CUT]) as upstream:
        response = send(adapter, upstream.url)
        with pytest.raises(ProviderInvalidAnswer, match="cut its answer off"):
            response.raw.read_all(1000)


def test_an_idle_connection_that_the_server_closed_is_replaced(adapter: LeanAdapter) -> None:
    with Upstream(answer(b"ok")) as upstream:
        assert send(adapter, upstream.url).content == b"ok"
        upstream.close_idle()
        assert send(adapter, upstream.url).content == b"ok"
        assert (upstream.connections, len(upstream.seen)) == (2, 2)


@pytest.mark.parametrize("end", [CUT, RESET])
def test_a_request_that_an_old_connection_swallowed_is_sent_once_more(
    adapter: LeanAdapter, end: object
) -> None:
    with Upstream(answer(b"first"), [end], answer(b"second")) as upstream:
        assert send(adapter, upstream.url).content == b"first"
        assert send(adapter, upstream.url).content == b"second"
        assert [seen.connection for seen in upstream.seen] == [1, 1, 2]


def test_a_request_is_not_sent_a_third_time(adapter: LeanAdapter) -> None:
    with Upstream(answer(b"first"), [CUT]) as upstream:
        assert send(adapter, upstream.url).content == b"first"
        with pytest.raises(ProviderUnreachable):
            send(adapter, upstream.url)
        assert len(upstream.seen) == 3


def test_a_request_is_not_sent_again_after_a_byte_of_answer(adapter: LeanAdapter) -> None:
    with Upstream(answer(b"first"), [b"H", CUT]) as upstream:
        assert send(adapter, upstream.url).content == b"first"
        with pytest.raises(ProviderInvalidAnswer):
            send(adapter, upstream.url)
        assert len(upstream.seen) == 2


def test_silence_before_the_answer_is_a_timeout_that_is_not_retried(adapter: LeanAdapter) -> None:
    with Upstream([HOLD]) as upstream:
        with pytest.raises(ProviderTimeout, match=r"silent for 0\.05 seconds") as caught:
            send(adapter, upstream.url, timeout=(5.0, 0.05))
        assert upstream.seen[0].left.wait(5)
    assert not caught.value.retryable


def test_silence_in_the_body_is_a_timeout(adapter: LeanAdapter) -> None:
    with Upstream([head({"content-length": "9"}), b"half", HOLD]) as upstream:
        response = send(adapter, upstream.url, timeout=(5.0, 0.05))
        with pytest.raises(ProviderTimeout):
            response.raw.read_all(1000)
        assert upstream.seen[0].left.wait(5)


def test_a_silent_reader_gets_ticks_and_reads_on(adapter: LeanAdapter) -> None:
    more = threading.Event()
    with Upstream([head({"content-length": "9"}), more, b"some more"]) as upstream:
        body = send(adapter, upstream.url).raw
        assert body.read_some(0.01) is None
        assert body.read_some(0.01) is None
        more.set()
        assert body.read_some(5.0) == b"some more"
        assert body.read_some(5.0) == b""


def test_ticks_do_not_put_off_the_read_timeout(adapter: LeanAdapter) -> None:
    with Upstream([head({"content-length": "9"}), HOLD]) as upstream:
        body = send(adapter, upstream.url, timeout=(5.0, 0.05)).raw
        assert body.read_some(0.02) is None
        with pytest.raises(ProviderTimeout):
            [body.read_some(0.02) for _ in range(10)]


def test_an_answer_that_comes_before_the_body_was_read_is_heard(adapter: LeanAdapter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:  # closing with a body unread resets the connection
                sock.recv(1)
                sock.sendall(answer(b"too large", status=413))

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        response = send(adapter, url, body=b"x" * 20_000_000)
        thread.join()
    assert (response.status_code, response.content) == (413, b"too large")


@pytest.mark.parametrize("begun", [[], [head({"content-length": "9"}), b"half"]])
def test_abort_from_another_thread_ends_a_call_at_once(
    adapter: LeanAdapter, begun: list[bytes]
) -> None:
    call = UpstreamCall()
    with Upstream([*begun, HOLD]) as upstream:
        aborter = threading.Thread(
            target=lambda: (upstream.wait_for_requests(1), call.abort("cancelled"))
        )
        aborter.start()
        with pytest.raises(CallAborted) as caught:
            send(adapter, upstream.url, call=call).raw.read_all(1000)
        assert upstream.seen[0].left.wait(5)
        aborter.join()
    assert caught.value.reason == "cancelled"


def test_abort_ends_a_call_that_is_still_connecting(adapter: LeanAdapter, black_hole: int) -> None:
    call = UpstreamCall()
    began = time.monotonic()
    timer = threading.Timer(0.05, call.abort, ["cancelled"])
    timer.start()
    with pytest.raises(CallAborted):
        send(adapter, f"http://127.0.0.1:{black_hole}/", call=call, timeout=(30.0, 30.0))
    timer.join()
    assert time.monotonic() - began < 10


def test_a_call_aborted_before_it_began_sends_nothing(adapter: LeanAdapter) -> None:
    call = UpstreamCall()
    call.abort("cancelled")
    with Upstream(answer(b"ok")) as upstream:
        with pytest.raises(CallAborted):
            send(adapter, upstream.url, call=call)
        assert upstream.connections == 0


def test_an_abort_after_the_answer_leaves_the_next_call_alone(adapter: LeanAdapter) -> None:
    call = UpstreamCall()
    with Upstream(answer(b"ok")) as upstream:
        assert send(adapter, upstream.url, call=call).raw.read_all(10) == b"ok"
        call.abort("too late")
        assert send(adapter, upstream.url).content == b"ok"
        assert upstream.connections == 1
