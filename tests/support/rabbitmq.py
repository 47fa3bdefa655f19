"""A real RabbitMQ of one's own: another node, other ports, another folder than any other."""

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.support.processes import HOST, Process, free_port
from tests.support.waiting import wait_until

# The Debian package's program without the wrapper, which would change the user.
SERVER = next(
    (
        path
        for path in ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server"))
        if path and Path(path).exists()
    ),
    None,
)
START_SECONDS = 60


class RabbitMq:
    """A node on loopback; raises RuntimeError where RabbitMQ is not installed."""

    def __init__(self, folder: Path) -> None:
        if SERVER is None:
            raise RuntimeError("rabbitmq-server is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._epmd_port = free_port(), free_port()
        self.url = f"amqp://guest:guest@{HOST}:{self.port}//"
        self._folder = folder
        (folder / "plugins").write_text("[].\n")
        self.process = self._start()

    def _start(self) -> Process:
        process = Process("rabbitmq", [str(SERVER)], self._folder / "rabbitmq.log", self._env())
        wait_until(
            lambda: _is_open(self.port) or not process.is_running(),
            "RabbitMQ listens",
            START_SECONDS,
        )
        assert process.is_running(), process.log_text()
        return process

    def restart(self) -> None:
        """Start again on the same port and data, after ``process.kill``."""
        self.process = self._start()

    def _env(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "HOME": folder,
            "RABBITMQ_NODENAME": f"muninn-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
        }

    def stop(self) -> None:
        """The node, and the port mapper that it started."""
        self.process.kill()
        wait_until(self._end_epmd, "the port mapper ends")

    def _end_epmd(self) -> bool:
        """It refuses as long as it has not noticed that the node is gone."""
        env = {**os.environ, "ERL_EPMD_PORT": str(self._epmd_port), "ERL_EPMD_ADDRESS": HOST}
        subprocess.run(["epmd", "-kill"], env=env, capture_output=True, check=False, timeout=10)
        return not _is_open(self._epmd_port)


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False
