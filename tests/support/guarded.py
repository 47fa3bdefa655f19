"""A Muninn that asks for keys, and the command that makes them."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import requests

from common.settings import Settings
from common.store import open_store
from common.store.virtual_keys import KeyStore
from tests.support.keys import store_key
from tests.support.processes import Muninn, StoreServer
from tests.support.waiting import wait_until

MUNINN = str(Path(sys.executable).parent / "muninn")
BODY = {"model": "echo/hello", "input": "hi"}


@dataclass
class Guarded:
    """A Muninn with keys: two fronts, what is behind them, and every secret that was ever used."""

    muninn: Muninn
    server: StoreServer
    fronts: list[str]
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = open_store(Settings(redis_url=self.server.url))
        self.keys = KeyStore(self.store.client, self.store.scripts)

    def key(self, name: str, **changes: object) -> str:
        """A new key's secret, good at both fronts."""
        self.secrets[name], _ = store_key(self.keys, name, **changes)
        if not {"is_revoked", "expires_at"} & changes.keys():
            wait_until(lambda: self.statuses(self.secrets[name]) == [200, 200], "it is known")
        return self.secrets[name]

    def statuses(self, secret: str) -> list[int]:
        """What each front says to a list of jobs."""
        return [
            call(front, secret, "GET", "/v1/async/responses").status_code for front in self.fronts
        ]

    def submit(self, secret: str, **fields: object) -> str:
        sent = {"x-bf-async": "true", "x-bf-vk": secret}
        answer = requests.post(
            f"{self.fronts[0]}/v1/responses", json={**BODY, **fields}, headers=sent, timeout=10
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def cli(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return muninn_keys(*arguments, REDIS_URL=self.server.url)


def muninn_keys(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MUNINN_", "REDIS_URL"))}
    argv = [MUNINN, "keys", *arguments]
    return subprocess.run(
        argv, env={**kept, **environ}, capture_output=True, text=True, timeout=20, check=False
    )


def call(
    front: str, secret: str | None, method: str, path: str, **options: object
) -> requests.Response:
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return requests.request(method, front + path, headers=headers, timeout=10, **options)
