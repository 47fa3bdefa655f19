"""`/metrics` of a real front and real workers: what the processes count adds up, whoever dies."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from tests.support.counted import ADMIN, PRICED, REFUSED, SMALL, TEAM, TOKEN, Counted, metrics_of
from tests.support.monitoring import (
    PROMETHEUS,
    Prometheus,
    dashboard_expressions,
    rule_names,
)
from tests.support.processes import StoreServer, free_port
from tests.support.upstream import Upstream, answer
from tests.support.waiting import wait_until

ENDED, CALLS = "muninn_jobs_ended_total", "muninn_provider_call_duration_seconds_count"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    server = StoreServer(tmp_path_factory.mktemp("store"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front_port() -> int:
    return free_port()


@pytest.fixture(scope="module", autouse=PROMETHEUS is not None)
def prometheus(tmp_path_factory: pytest.TempPathFactory, front_port: int) -> Iterator[Prometheus]:
    """Started first: it takes some seconds until it scrapes, and there shall be something to look
    back at."""
    folder = tmp_path_factory.mktemp("prometheus")
    running = Prometheus(folder, f"127.0.0.1:{front_port}", TOKEN)
    yield running
    running.process.stop()


@pytest.fixture(scope="module")
def counted(
    tmp_path_factory: pytest.TempPathFactory, store: StoreServer, front_port: int
) -> Iterator[Counted]:
    with ExitStack() as stack:
        hook = stack.enter_context(Upstream(answer()))
        upstream = stack.enter_context(Upstream(b""))
        running = Counted(tmp_path_factory.mktemp("counted"), store.url, upstream, f"{hook.url}/x")
        running.muninn.port = front_port
        stack.callback(running.muninn.stop)
        running.muninn.start(workers=2)
        yield running


def test_the_counts_of_all_processes_add_up(counted: Counted) -> None:
    before = counted.scrape()
    ids = counted.submit(40)
    scrape = counted.wait_for(before.value(ENDED) + 40, ENDED)
    assert len(set(ids)) == 40
    for name in (
        "muninn_jobs_submitted_total",
        "muninn_job_attempts_total",
        "muninn_job_wait_seconds_count",
        "muninn_job_run_seconds_count",
    ):
        assert scrape.value(name) - before.value(name) == 40, name
    assert scrape.value(ENDED, status="completed") - before.value(ENDED, status="completed") == 40
    assert scrape.value(CALLS) - before.value(CALLS) == 40
    assert scrape.value("muninn_worker_slots") == 1000
    counted.wait_for(0, "muninn_jobs")
    counted.wait_for(2, "muninn_workers")


def test_inline_calls_streams_and_jobs_count_their_tokens_and_cost_once(counted: Counted) -> None:
    counted.upstream.script = [PRICED]
    before = counted.scrape()
    assert counted.post("openai/gpt-4o-mini").ok
    assert b"response.completed" in counted.stream("openai/gpt-4o-mini")
    counted.submit(1, "openai/gpt-4o-mini")
    tokens = {"provider": "openai", "model": "gpt-4o-mini", "direction": "input"}
    goal = before.value("muninn_tokens_total", **tokens) + 3000
    scrape = counted.wait_for(goal, "muninn_tokens_total", **tokens)
    cost = scrape.value("muninn_cost_usd_total") - before.value("muninn_cost_usd_total")
    assert cost == pytest.approx(3 * (1000 * 0.15 + 500 * 0.60) / 1_000_000)
    assert scrape.value("muninn_gateway_overhead_seconds_count", kind="stream") >= 1
    assert scrape.value("muninn_stream_duration_seconds_count", kind="inline") >= 1
    assert scrape.value("muninn_streams_in_flight") == 0


def test_errors_limits_cancels_and_webhooks_are_counted(counted: Counted) -> None:
    counted.upstream.script = [REFUSED]
    assert counted.post("openai/gpt-4o-mini").status_code == 400
    assert {counted.post("echo/hello", SMALL).status_code for _ in range(2)} == {200, 429}
    counted.submit(1, **{"x-bf-async-webhook": "hook"})
    counted.wait_for(1, "muninn_webhook_deliveries_total", outcome="delivered")
    (job,) = counted.submit(1, "echo/slow-60s")
    v1 = f"{counted.muninn.root}/v1/responses"
    for _ in range(2):
        assert counted_cancel(v1, job) == 200
    scrape = counted.scrape()
    assert scrape.value("muninn_provider_errors_total", provider="openai", code="out_of_luck") == 1
    assert scrape.value("muninn_rate_limited_requests_total", reason="rate_limit_exceeded") == 1
    assert scrape.value(ENDED, status="cancelled") == 1
    assert scrape.labels("muninn_http_request_duration_seconds_count", "route") >= {
        "/v1/responses",
        "/v1/responses/{response_id}/cancel",
    }


def counted_cancel(v1: str, job: str) -> int:
    import requests

    headers = {"authorization": f"Bearer {TEAM}"}
    return requests.post(f"{v1}/{job}/cancel", headers=headers, timeout=10).status_code


def test_nothing_goes_backwards_when_a_worker_is_killed_and_its_gauges_go(counted: Counted) -> None:
    counted.submit(1, "echo/slow-60s")
    before = counted.wait_for(1, "muninn_worker_jobs_in_hand")
    for worker in counted.muninn.workers:
        worker.kill()
    after = counted.scrape()
    assert after.value("muninn_worker_slots") == 0
    assert after.value("muninn_worker_jobs_in_hand") == 0
    for sample in before.samples:
        if sample.name.endswith(("_total", "_count", "_bucket")):
            assert after.value(sample.name, **sample.labels) >= sample.value, sample
    counted.muninn.start_worker()
    scrape = counted.wait_for(1, "muninn_job_rescues_total", outcome="requeued")
    assert scrape.value("muninn_worker_slots") == 500
    ended = scrape.value(ENDED, status="completed")
    counted.submit(10)
    counted.wait_for(ended + 10, ENDED, status="completed")


@pytest.mark.parametrize(
    ("secret", "status"),
    [(TOKEN, 200), (ADMIN, 200), (TEAM, 403), ("wrong", 401), (None, 401)],
)
def test_only_the_token_and_admin_keys_open_it(
    counted: Counted, secret: str | None, status: int
) -> None:
    assert metrics_of(counted.muninn.root, secret).status_code == status


def test_a_worker_alone_serves_its_own_port(counted: Counted) -> None:
    port = free_port()
    counted.muninn.start_worker(metrics_port=port, metrics_dir="")
    root = f"http://127.0.0.1:{port}"
    assert metrics_of(root).status_code == 401
    told = metrics_of(root, TOKEN)
    assert told.status_code == 200
    assert "muninn_worker_slots 500.0" in told.text
    assert "muninn_store_up" not in told.text


def test_no_secret_is_in_it(counted: Counted) -> None:
    text = metrics_of(counted.muninn.root, TOKEN).text
    assert [secret for secret in (TOKEN, TEAM, SMALL, ADMIN) if secret in text] == []


@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus here")
def test_a_real_prometheus_has_data_for_every_rule_and_every_panel(
    counted: Counted, prometheus: Prometheus
) -> None:
    wait_until(lambda: prometheus.has_data("up == 1"), "the front was scraped")
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {*rule_names("record"), *rule_names("alert")}
    wanted = {*rule_names("record"), *dashboard_expressions()}
    wait_until(
        lambda: (
            not [counted.post("echo/hello") for name in wanted if not prometheus.has_data(name)]
        ),
        "everything has data",
    )
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]


def test_a_store_that_hangs_costs_a_scrape_a_second_and_no_more(
    counted: Counted, store: StoreServer
) -> None:
    store.process.signal(signal.SIGSTOP)
    try:
        scrape = wait_until(
            lambda: (s := counted.scrape()).value("muninn_store_up") == 0 and s, "it is noticed"
        )
        assert "muninn_jobs" not in scrape.names()
        assert scrape.value(ENDED) > 0
        soon = timedelta(seconds=3)
        wait_until(lambda: metrics_of(counted.muninn.root, TOKEN).elapsed < soon, "it is answered")
    finally:
        store.process.signal(signal.SIGCONT)
    counted.wait_for(1, "muninn_store_up")
