"""A Muninn for the tests of the web page, and what they look at on the page."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Locator, Page

from tests.support.processes import Muninn, StoreServer
from tests.support.upstream import Upstream, chunk, event, sse_head
from tests.support.vendor import events
from tests.support.waiting import wait_until

ADMIN = "secret-of-the-admin-of-these-tests"
TEAM = "secret-of-a-team-of-these-tests-00"
WORDS = "one two three four five six seven eight"


@dataclass
class Gate:
    """A Muninn with an admin key and a team's, the same without keys, and jobs for both."""

    muninn: Muninn
    open_root: str
    upstream: Upstream
    server: StoreServer

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"x-api-key": TEAM, **options.pop("headers", {})}
        answer = requests.request(
            method, self.muninn.root + path, headers=headers, timeout=10, **options
        )
        assert answer.ok, answer.text
        return answer

    def submit(self, model: str, text: str = WORDS, **fields: Any) -> str:
        body = {"model": model, "input": text, "background": True, **fields}
        with self.call("POST", "/v1/responses", json=body, stream=True) as answer:
            return str(answer.headers.get("x-bf-async-id") or answer.json()["id"])

    def in_last_hour(self, what: str) -> int:
        overview = self.call("GET", "/v1/async/overview", headers={"x-api-key": ADMIN}).json()
        return sum(minute[what] for minute in overview["history"])

    def ended(self, job_id: str) -> str:
        path = f"/v1/async/responses/{job_id}"
        wait_until(lambda: self.call("GET", path).status_code == 200, "the job ends")
        return job_id

    def cancel(self, *job_ids: str) -> None:
        for job_id in job_ids:
            self.call("POST", f"/v1/responses/{job_id}/cancel")


@contextmanager
def running_gate(folder: Path) -> Iterator[Gate]:
    """The gate, with a front and a worker, and a front that asks for no keys."""
    with Upstream(b"") as upstream:
        yield from _running(folder, upstream)


def _running(folder: Path, upstream: Upstream) -> Iterator[Gate]:
    server = StoreServer(folder / "store")
    keys = {"ops": {"secret_env": "OPS", "is_admin": True}, "team": {"secret_env": "TEAM"}}
    rows = json.dumps({"upstream": {"base_url": f"{upstream.url}/v1"}})
    running = Muninn(
        folder, server.url, keys=json.dumps(keys), providers=rows, default_provider="echo"
    )
    running.env |= {"OPS": ADMIN, "TEAM": TEAM}
    keyless = Muninn(folder / "open", server.url, require_keys="false", default_provider="echo")
    keyless.folder.mkdir()
    try:
        with ThreadPoolExecutor(2) as pool:
            starts = [pool.submit(running.start), pool.submit(keyless.start_front)]
        for start in starts:
            start.result()
        yield Gate(running, keyless.root, upstream, server)
    finally:
        running.stop()
        keyless.stop()
        server.stop()


def tile(page: Page, name: str) -> Locator:
    """A number of the overview."""
    return page.locator(f"[data-tile={name}] .tile-value")


def row(page: Page, job_id: str) -> Locator:
    """A job in the list."""
    return page.locator(f"[data-job='{job_id}']")


def status(page: Page) -> Locator:
    """The status on the page of a job."""
    return page.locator("main .chip")


def show_job(page: Page, job_id: str) -> None:
    page.goto(f"/ui#/jobs/{job_id}")


def halting(gate: Gate) -> threading.Event:
    """Let the upstream say "Hi", and " you" when the event is set."""
    go = threading.Event()
    first, rest = [map(event, part) for part in (events()[:4], events()[4:])]
    gate.upstream.script = [[sse_head(), *first, lambda *_: go.wait(60), *rest, chunk(b"")]]
    return go


def ask(page: Page, model: str, mode: str) -> None:
    """Send a request from the trial."""
    page.goto("/ui#/try")
    page.get_by_label("Model", exact=True).fill(model)
    page.get_by_label("Input").fill(WORDS)
    page.get_by_text(mode, exact=True).click()
    page.get_by_role("button", name="Send").click()
