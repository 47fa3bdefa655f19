"""A real Muninn with counts in a folder, keys and a priced provider, and what is done with it."""

import json
from pathlib import Path

import requests

from common.virtual_keys import digest_of
from tests.support.fakes import RESPONSE
from tests.support.processes import Muninn
from tests.support.scraping import Scrape
from tests.support.upstream import Upstream, json_answer
from tests.support.waiting import wait_until

TOKEN = "planted-metrics-token-5d1f"
TEAM, SMALL, ADMIN = (f"mn-planted-{name}-key-0123456789abcdef" for name in ("team", "few", "boss"))
KEYS = {
    "team": {"hash": digest_of(TEAM)},
    "small": {"hash": digest_of(SMALL), "rpm": 1},
    "boss": {"hash": digest_of(ADMIN), "is_admin": True},
}
USAGE = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}
PRICED = json_answer({**RESPONSE, "model": "gpt-4o-mini", "usage": USAGE})
REFUSED = json_answer({"error": {"message": "no", "code": "out_of_luck"}}, status=400)


class Counted:
    """The processes, and the provider behind them."""

    def __init__(self, folder: Path, store_url: str, upstream: Upstream, hook_url: str) -> None:
        self.upstream = upstream
        provider = {"base_url": f"{upstream.url}/v1"}
        secret = "whsec_cGxhbnRlZC13ZWJob29rLXNlY3JldC1vbmUtMTIzNDU="
        self.muninn = Muninn(
            folder,
            store_url,
            keys=json.dumps(KEYS),
            metrics_token=TOKEN,
            metrics_dir=folder / "counts",
            providers=json.dumps({"openai": provider}),
            default_provider="echo",
            webhooks=json.dumps({"hook": {"url": hook_url, "secrets": [secret]}}),
            webhook_allow_private="true",
            lease_seconds=1,
            shutdown_grace_seconds=0,
        )

    def post(self, model: str, secret: str = TEAM, **headers: str) -> requests.Response:
        sent = {"authorization": f"Bearer {secret}", **headers}
        body = {"model": model, "input": "hi"}
        return requests.post(
            f"{self.muninn.root}/v1/responses", json=body, headers=sent, timeout=30
        )

    def submit(self, count: int, model: str = "echo/hello", **headers: str) -> list[str]:
        return [
            str(self.post(model, **{"x-bf-async": "true"}, **headers).json()["id"])
            for _ in range(count)
        ]

    def stream(self, model: str = "echo/hello") -> bytes:
        body = {"model": model, "input": "hi", "stream": True}
        sent = {"authorization": f"Bearer {TEAM}"}
        url = f"{self.muninn.root}/v1/responses"
        return requests.post(url, json=body, headers=sent, timeout=30).content

    def scrape(self) -> Scrape:
        answer = metrics_of(self.muninn.root, TOKEN)
        assert answer.status_code == 200, answer.text
        return Scrape(answer.text)

    def wait_for(self, value: float, name: str, **labels: str) -> Scrape:
        """The first scrape in which a metric has this value."""

        def look() -> Scrape | None:
            scrape = self.scrape()
            return scrape if scrape.value(name, **labels) == value else None

        return wait_until(look, f"{name}{labels} is {value}")


def metrics_of(root: str, secret: str | None = None) -> requests.Response:
    """An answer of `/metrics`."""
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return requests.get(f"{root}/metrics", headers=headers, timeout=10)
