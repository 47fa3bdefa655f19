"""The overview and the usage of real processes, through outages and stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.support.calling import poll_to_the_end, post, submit
from tests.support.processes import HOST, Muninn, StoreServer, free_port
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Site:
    """A front and a worker of which any may be stopped, on a store of their own."""

    muninn: Muninn
    server: StoreServer

    @property
    def v1(self) -> str:
        return f"{self.muninn.root}/openai/v1"

    def overview(self) -> dict[str, Any]:
        answer = requests.get(f"{self.muninn.root}/v1/async/overview", timeout=10)
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def used(self) -> dict[str, int]:
        """What was used by now, of today and a yesterday that has just ended."""
        answer = requests.get(f"{self.muninn.root}/v1/usage?days=2", timeout=10)
        assert answer.status_code == 200, answer.text
        rows = answer.json()["data"]
        return {name: sum(row[name] for row in rows) for name in ("requests", "jobs")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("overview")
    server = StoreServer(folder / "store")
    running = Muninn(folder, server.url, default_provider="echo", worker_concurrency=7)
    try:
        yield Site(running.start(), server)
    finally:
        running.stop()
        server.stop()


def test_the_overview_shows_jobs_workers_the_hour_and_the_store(site: Site) -> None:
    done, running = submit(site.v1), submit(site.v1, "echo/hang")
    poll_to_the_end(site.v1, done)
    wait_until(lambda: site.overview()["jobs"]["in_progress"] == 1, "one runs")
    shown = site.overview()
    (worker,) = shown["workers"]
    assert (worker["pid"], worker["slots"]) == (site.muninn.workers[0].pid, 7)
    counts = {
        name: sum(minute[name] for minute in shown["history"])
        for name in ("submitted", "completed", "failed", "cancelled")
    }
    assert counts == {"submitted": 2, "completed": 1, "failed": 0, "cancelled": 0}
    assert shown["store"]["used_memory_bytes"] > 100_000
    retry = f"{site.muninn.root}/v1/async/responses/{running}/retry"
    assert requests.post(retry, timeout=10).status_code == 409
    assert requests.post(f"{site.v1}/responses/{running}/cancel", timeout=10).ok
    new_id = requests.post(retry, timeout=10).json()["id"]
    assert requests.post(f"{site.v1}/responses/{new_id}/cancel", timeout=10).ok
    assert site.used() == {"requests": 0, "jobs": 3}


def test_what_is_used_while_the_store_is_away_is_counted_when_it_is_back(site: Site) -> None:
    before = site.used()["requests"]
    site.server.process.kill()
    try:
        for is_streamed in (False, True, False, True):
            assert post(site.v1, {"model": "hello", "input": "x", "stream": is_streamed}).ok
    finally:
        site.server.restart()
    wait_until(lambda: site.used()["requests"] == before + 4, "all of it is counted")


def test_a_front_that_is_told_to_stop_loses_no_count(site: Site) -> None:
    before = site.used()["requests"]
    port = free_port()
    front = site.muninn.start_front(port)
    for _ in range(5):
        assert post(f"http://{HOST}:{port}/v1", {"model": "hello", "input": "x"}).ok
    front.stop()
    assert site.used()["requests"] == before + 5


def test_a_worker_that_stops_is_gone_at_once_and_one_that_was_cut_off_comes_back(
    site: Site,
) -> None:
    first = site.muninn.workers[0]
    wait_until(lambda: site.overview()["workers"], "it is back after the outage", 12)
    site.muninn.start_worker()
    wait_until(lambda: len(site.overview()["workers"]) == 2, "both are there")
    first.stop()
    (left,) = site.overview()["workers"]
    assert left["pid"] == site.muninn.workers[1].pid
