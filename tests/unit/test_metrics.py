"""What is counted when, and how Prometheus is told of it."""

import threading
import time
from collections.abc import Callable

import pytest

from common.answers import Answer, Exchange
from common.errors import (
    CallAborted,
    ProviderAnsweredError,
    ProviderTimeout,
    RateLimited,
    ServiceUnavailable,
)
from common.jobs import Claim, JobStatus
from common.metrics import Metrics
from common.metrics import definitions as d
from common.metrics.counted_calls import counted_calls
from common.metrics.exposition import exposition
from common.metrics.store_state import StoreState, StoreWatch
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.observed import observed
from common.store.queue_state import QueueState
from common.usage import NANO, Usage
from tests.support.fakes import FakeProvider, FakeStream, event
from tests.support.scraping import Scrape, shown

ROUTE, POST = "/v1/responses", "POST"
REQUEST = ProviderRequest("m", {})
CALLS = "muninn_provider_call_duration_seconds_count"
STATE = StoreState(QueueState(7, 3, 2, 1_000, 61_000, held=1), workers=4)


def claim(attempt: int = 1) -> Claim:
    """A job that waited for 2 s, and whose attempts before took 5 s."""
    return Claim("id", "token", attempt, b"{}", b"{}", 1_000, 3_000, 8_000, 0, 60)


def test_a_request_is_counted_with_its_route_method_and_class() -> None:
    metrics = Metrics()
    metrics.requests.answered(ROUTE, POST, 404, metrics.requests.asked())
    metrics.requests.answered(ROUTE, "BREW", 200, metrics.requests.asked())
    scrape = shown(metrics)
    count = "muninn_http_request_duration_seconds_count"
    assert scrape.value(count, route=ROUTE, method=POST, status="4xx") == 1
    assert scrape.value(count, method="other", status="2xx") == 1


def test_the_overhead_is_what_the_provider_did_not_take() -> None:
    metrics = Metrics()
    asked_at = metrics.requests.asked() - 60
    metrics.providers.served("fake", "whole", time.perf_counter() - 40)
    metrics.requests.answered(ROUTE, POST, 200, asked_at)
    scrape = shown(metrics)
    assert scrape.value("muninn_gateway_overhead_seconds_count", kind="whole") == 1
    assert 15 < scrape.value("muninn_gateway_overhead_seconds_sum") < 25
    assert scrape.value("muninn_http_request_duration_seconds_sum") >= 60


def test_a_request_that_asks_no_provider_has_no_overhead_to_speak_of() -> None:
    metrics = Metrics()
    metrics.providers.served("fake", "whole", 0.0)  # for an earlier request in this thread
    metrics.requests.answered(ROUTE, POST, 200, metrics.requests.asked())
    assert shown(metrics).value("muninn_gateway_overhead_seconds_count") == 0


def test_a_call_is_counted_with_its_outcome() -> None:
    metrics = Metrics()
    refused = ProviderAnsweredError(429, "slow down", code="rate_limit_exceeded")
    provider = observed(
        FakeProvider({}, refused, ProviderTimeout("late"), CallAborted("left")),
        counted_calls(metrics.providers),
    )
    provider.create(REQUEST, UpstreamCall())
    for error in (ProviderAnsweredError, ProviderTimeout, CallAborted):
        with pytest.raises(error):
            provider.create(REQUEST, UpstreamCall())
    scrape = shown(metrics)
    assert scrape.value(CALLS, provider="fake", kind="whole", outcome="ok") == 1
    assert scrape.value(CALLS, outcome="error") == 2
    assert scrape.value(CALLS, outcome="aborted") == 1
    errors = scrape.labels("muninn_provider_errors_total", "code")
    assert errors == {"rate_limit_exceeded", "provider_timeout"}


def test_a_stream_that_its_provider_breaks_off_is_an_error_and_one_that_ends_is_none() -> None:
    metrics = Metrics()
    pieces = [event("response.created"), ProviderTimeout("silent")]
    provider = observed(FakeProvider(FakeStream(pieces)), counted_calls(metrics.providers))
    stream = provider.stream(REQUEST, UpstreamCall())
    with pytest.raises(ProviderTimeout):
        list(stream)
    stream.close()
    scrape = shown(metrics)
    assert scrape.value(CALLS, kind="stream", outcome="ok") == 1
    assert scrape.value("muninn_provider_errors_total", code="provider_timeout") == 1


def test_codes_that_a_provider_makes_up_are_bounded() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.providers.failed("fake", ProviderAnsweredError(500, "no", code=f"E{number}"))
    scrape = shown(metrics)
    assert len(scrape.labels("muninn_provider_errors_total", "code")) == 41
    assert scrape.value("muninn_provider_errors_total") == 500


def test_models_are_bounded_for_each_provider_by_itself() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.providers.spent("echo", f"made-up-{number}", Usage(1, 2, NANO))
    metrics.providers.spent("openai", "gpt-5", Usage(10, 20, NANO // 2))
    scrape = shown(metrics)
    assert len(scrape.labels("muninn_tokens_total", "model")) == 102
    assert scrape.value("muninn_tokens_total", provider="echo", direction="output") == 1000
    assert scrape.value("muninn_tokens_total", model="gpt-5", direction="input") == 10
    assert scrape.value("muninn_cost_usd_total", model="gpt-5") == 0.5
    assert scrape.value("muninn_cost_usd_total") == 500.5


def test_an_answer_counts_its_tokens_and_cost_under_the_providers_name_for_the_model() -> None:
    metrics = Metrics()
    exchange = Exchange("openai", "alias", "gpt-5-2026", 0.0)
    response = {"usage": {"input_tokens": 3, "output_tokens": 4}}
    metrics.providers.answered(Answer(b"", {}, response, {"total_cost": 0.25}, exchange))
    scrape = shown(metrics)
    assert scrape.value("muninn_tokens_total", model="gpt-5-2026") == 7
    assert scrape.value("muninn_cost_usd_total", provider="openai") == 0.25


def test_a_job_waits_once_and_runs_over_all_its_attempts() -> None:
    metrics = Metrics()
    with metrics.jobs.attempt(claim()):
        assert shown(metrics).value("muninn_worker_jobs_in_hand") == 1
        metrics.jobs.retried()
    with metrics.jobs.attempt(claim(attempt=2)):
        metrics.jobs.ended(JobStatus.COMPLETED)
    scrape = shown(metrics)
    assert scrape.value("muninn_job_wait_seconds_count") == 1
    assert scrape.value("muninn_job_wait_seconds_sum") == 2
    assert scrape.value("muninn_job_run_seconds_count", status="completed") == 1
    assert 5 <= scrape.value("muninn_job_run_seconds_sum") < 10
    assert scrape.value("muninn_job_attempts_total") == 2
    assert scrape.value("muninn_job_retries_total") == 1
    assert scrape.value("muninn_worker_jobs_in_hand") == 0


def test_a_job_that_its_rescuer_had_to_fail_has_ended() -> None:
    metrics = Metrics()
    metrics.jobs.rescued("requeued")
    metrics.jobs.rescued("failed")
    metrics.jobs.expired(3)
    metrics.jobs.cancelled()
    scrape = shown(metrics)
    assert scrape.value("muninn_job_rescues_total", outcome="requeued") == 1
    assert scrape.value("muninn_jobs_ended_total", status="failed") == 4
    assert scrape.value("muninn_jobs_ended_total", status="cancelled") == 1


def test_only_our_own_limits_count_as_such() -> None:
    metrics = Metrics()
    metrics.requests.refused(RateLimited("full", code="queue_full"))
    metrics.requests.refused(ProviderAnsweredError(429, "theirs"))
    scrape = shown(metrics)
    assert scrape.value("muninn_rate_limited_requests_total") == 1
    assert scrape.value("muninn_rate_limited_requests_total", reason="queue_full") == 1


def test_what_may_rise_from_nothing_is_shown_before_it_does() -> None:
    scrape = shown(Metrics())
    assert scrape.labels("muninn_jobs_ended_total", "status") == {
        "completed",
        "failed",
        "cancelled",
    }
    assert "given_up" in scrape.labels("muninn_webhook_deliveries_total", "outcome")


def test_buckets_are_cumulative_and_end_with_all() -> None:
    metrics = Metrics()
    stream = metrics.requests.stream_opened("job")
    metrics.requests.stream_closed("job", stream)
    scrape = shown(metrics)
    bucket = "muninn_stream_duration_seconds_bucket"
    assert scrape.value(bucket, le="0.01") == 1
    assert scrape.value(bucket, le="+Inf") == 1
    assert scrape.value("muninn_streams_in_flight", kind="job") == 0


def test_the_state_of_the_store_is_shown() -> None:
    scrape = Scrape(exposition({}, None, (STATE, 100))[0].decode())
    jobs = {state: scrape.value("muninn_jobs", state=state) for state in STATES}
    assert jobs == {"queued": 7, "held": 1, "parked": 2, "running": 2}
    assert scrape.value("muninn_jobs_oldest_queued_seconds") == 60
    assert scrape.value("muninn_jobs_queued_max") == 100
    assert scrape.value("muninn_workers") == 4
    assert scrape.value("muninn_store_up") == 1


STATES = ("queued", "held", "parked", "running")


def test_of_a_store_that_is_away_nothing_is_claimed_but_that() -> None:
    scrape = Scrape(exposition({}, None, (None, 100))[0].decode())
    assert scrape.value("muninn_store_up") == 0
    assert scrape.names() & {"muninn_jobs", "muninn_workers"} == set()


def test_openmetrics_is_spoken_where_it_is_understood() -> None:
    body, content_type = exposition({}, "application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_every_metric_has_a_name_of_ours_and_the_ending_of_its_kind() -> None:
    for definition in d.ALL:
        assert definition.name.startswith("muninn_")
        assert definition.name.endswith("_total") == (definition.kind == "counter")
        assert list(definition.buckets) == sorted(definition.buckets)
        assert bool(definition.buckets) == (definition.kind == "histogram")


def test_the_store_is_asked_at_most_once_a_second() -> None:
    looks: list[int] = []

    def look() -> StoreState:
        looks.append(1)
        return STATE

    watch = StoreWatch(look)
    assert {watch.state() for _ in range(20)} == {STATE}
    assert len(looks) == 1


def test_a_store_that_is_down_or_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.metrics.store_state.PATIENCE_SECONDS", 0.05)
    hangs = threading.Event()
    looks: list[Callable[[], StoreState]] = []

    def look() -> StoreState:
        looks.append(look)
        if len(looks) == 1:
            hangs.wait(10)
        raise ServiceUnavailable("away")

    watch = StoreWatch(look)
    assert watch.state() is None
    assert watch.state() is None
    assert len(looks) == 1, "one that hangs is not asked again"
    hangs.set()
