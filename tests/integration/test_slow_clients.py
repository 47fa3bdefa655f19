"""Clients that never finish what they began keep nobody else from being served."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.processes import Muninn, StoreServer
from tests.support.raw_http import BODY, RawClient, ask, request
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what Linux alone can tell")

THREADS = 6
PATIENCE_SECONDS = 2


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, store_server: StoreServer) -> Iterator[Muninn]:
    """A front with few threads and little patience."""
    running = Muninn(
        tmp_path_factory.mktemp("slow"),
        store_server.url,
        client_timeout_seconds=PATIENCE_SECONDS,
        front_threads=THREADS,
        require_keys="false",
    )
    try:
        running.start_front()
        yield running
    finally:
        running.stop()


def is_well(front: Muninn) -> bool:
    return requests.get(f"{front.root}/healthz", timeout=10).ok


def test_silent_connections_keep_nobody_out(front):
    with ExitStack() as crowd:
        for _ in range(THREADS * 20):
            crowd.enter_context(RawClient(front.port))
        assert is_well(front)


def test_half_a_head_keeps_nobody_out(front):
    with ExitStack() as crowd:
        for _ in range(THREADS * 20):
            crowd.enter_context(RawClient(front.port)).send(b"POST /v1/responses HTTP/1.1\r\nHos")
        assert is_well(front)


def test_bodies_that_do_not_come_are_answered_408_and_their_threads_are_free_again(front):
    with ExitStack() as crowd:
        clients = [crowd.enter_context(RawClient(front.port)) for _ in range(THREADS)]
        for client in clients:
            client.send(request(length=100))
        with RawClient(front.port, address="127.0.0.2") as bystander:
            bystander.send(request())
            assert bystander.answer().status == 200, "although all threads waited for bodies"
        for client in clients:
            answer = client.answer()
            assert answer.status == 408
            assert answer.json["error"]["code"] == "request_timeout"
            assert client.is_closed()


def test_a_body_that_drips_is_cut_off_too(front):
    gone = threading.Event()
    with RawClient(front.port) as client:
        client.send(request(length=1_000_000, body=b""))

        def drip():
            while not gone.wait(0.05):
                try:
                    client.send(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert client.answer().status == 408
        finally:
            gone.set()
            dripping.join()


def test_a_chunked_body_without_its_end_is_cut_off_even_where_it_would_be_valid(front):
    with RawClient(front.port) as client:
        sent = request(b"Transfer-Encoding: chunked", body=b"", length=None)
        client.send(sent + b"%x\r\n%b\r\n" % (len(BODY), BODY))
        assert client.answer().status == 408


def test_a_call_from_the_same_address_is_not_mistaken_for_the_slow_one(front):
    answers = []

    def call():
        body = {"model": "echo/slow-4s", "input": "patience"}
        answers.append(requests.post(f"{front.root}/v1/responses", json=body, timeout=10))

    with RawClient(front.port) as client:
        calling = threading.Thread(target=call)
        calling.start()
        client.send(request(length=100))
        assert client.answer().status == 408
        calling.join()
    assert [answer.status_code for answer in answers] == [200]


def test_bodies_that_began_later_have_their_time_too(front):
    """Each is cut off in its own time, though all come from one address."""
    with RawClient(front.port) as first, RawClient(front.port) as second:
        first.send(request(length=len(BODY), body=b""))
        time.sleep(PATIENCE_SECONDS * 0.9)  # the second one has so much longer
        second.send(request(length=len(BODY), body=BODY[:-1]))
        assert first.answer().status == 408
        second.send(BODY[-1:])
        assert second.answer().status == 200


def test_a_body_in_pieces_is_accepted(front):
    with RawClient(front.port) as client:
        client.send(request(length=len(BODY), body=b""))
        for part in (BODY[:10], BODY[10:20], BODY[20:]):
            time.sleep(0.05)  # so that each is a packet of its own
            client.send(part)
        assert client.answer().status == 200


def test_an_answer_that_is_not_read_is_given_up(front):
    body = b'{"model":"echo/size-8000kb","input":"hi"}'
    with RawClient(front.port, receive_buffer=4096) as client:
        client.send(request(body=body))
        assert client.sock.recv(10)
        port = client.sock.getsockname()[1]
        assert has_connection(front.port, port)
        wait_until(lambda: not has_connection(front.port, port), "the kernel gives it up", 10)
    assert is_well(front)


def has_connection(server_port: int, client_port: int) -> bool:
    """Whether the kernel still keeps the server's end."""
    ends = f":{server_port:04X} 0100007F:{client_port:04X} 01 "
    return ends in Path("/proc/net/tcp").read_text("ascii")


def test_ordinary_requests_go_on_all_the_while(front):
    assert ask(front.port, request()).status == 200
