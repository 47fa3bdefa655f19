"""Where things are counted: once, by whoever the store says has done them; on fakeredis."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from common.bootstrap import Services, build_services
from common.caller_keys import KeyVault
from common.errors import ProviderAnsweredError, ProviderFailure, ServiceUnavailable
from common.jobs import NewJob
from common.providers.base import ProviderRequest, UpstreamCall
from common.running.counts import counts_folder
from common.settings import load_settings
from common.store.job_store import JobStore
from common.store.maintenance import JobMaintenance
from tests.support.fakes import RESPONSE, FakeProvider, inference_on
from tests.support.scraping import Scrape, shown
from tests.support.stored_jobs import claimed, lease_runs_out, submitted
from worker.calling import JobCaller
from worker.event_writer import EventWriter
from worker.janitor import Janitor
from worker.leases import LeaseKeeper
from worker.persistence import Persistence
from worker.runner import JobRunner

ENDED = "muninn_jobs_ended_total"
ANSWER = {**RESPONSE, "usage": {"input_tokens": 5, "output_tokens": 7}}


class Worker:
    """A worker whose provider does as it is told."""

    def __init__(self, store: JobStore, *outcomes: object) -> None:
        self.store = store
        self.services: Services = build_services(load_settings({}), store=store)
        self.persistence = Persistence()
        provider = FakeProvider(*outcomes)
        writer = EventWriter(self.services.events, self.persistence)
        caller = JobCaller(store, inference_on(provider), writer, self.persistence, KeyVault())
        self.runner = JobRunner(
            store,
            self.services.queue,
            caller,
            LeaseKeeper(store),
            self.persistence,
            self.services.settings,
            self.services.metrics,
        )

    def submit(self) -> NewJob:
        return submitted(self.store, created_at_ms=int(time.time() * 1000))

    def run(self, job: NewJob) -> Scrape:
        self.runner.run(job.id)
        return self.scrape()

    def scrape(self) -> Scrape:
        return shown(self.services.metrics)


def test_a_finished_job_counts_its_end_and_its_tokens(store: JobStore) -> None:
    worker = Worker(store, ANSWER)
    scrape = worker.run(worker.submit())
    assert scrape.value(ENDED, status="completed") == 1
    assert scrape.value("muninn_tokens_total", direction="output") == 7
    assert scrape.value("muninn_job_run_seconds_count", status="completed") == 1


def test_a_job_that_was_cancelled_meanwhile_is_counted_as_that_alone(store: JobStore) -> None:
    def cancels(request: object, call: object) -> object:
        store.cancel(job.id)
        return ANSWER

    worker = Worker(store, cancels)
    job = worker.submit()
    scrape = worker.run(job)
    assert scrape.value(ENDED, status="cancelled") == 1
    assert scrape.value(ENDED) == 1
    assert scrape.value("muninn_tokens_total") == 0


def test_cancelling_twice_counts_once_and_cancelling_nothing_not_at_all(store: JobStore) -> None:
    worker = Worker(store)
    job = submitted(store)
    store.cancel(job.id)
    store.cancel(job.id)
    store.cancel("00000000-0000-4000-8000-000000000000")
    assert worker.scrape().value(ENDED) == 1


def test_a_retry_is_no_end(store: JobStore) -> None:
    worker = Worker(store, ProviderAnsweredError(503, "busy"), ANSWER)
    scrape = worker.run(worker.submit())
    assert scrape.value("muninn_job_retries_total") == 1
    assert scrape.value(ENDED) == 0


def test_the_janitor_counts_whom_it_rescues_and_fails(store: JobStore) -> None:
    worker = Worker(store)
    services = worker.services
    care = JobMaintenance(store, services.queue.message)
    settings = services.settings.model_copy(update={"max_attempts": 2, "lease_seconds": 0.0})
    janitor = Janitor(
        care, services.queue, services.webhooks.dispatcher, settings, metrics=services.metrics.jobs
    )
    job = submitted(store)
    for outcome in ("requeued", "failed"):
        claimed(store, job)
        lease_runs_out(store, job)
        janitor.tick()
        assert worker.scrape().value("muninn_job_rescues_total", outcome=outcome) == 1
    assert worker.scrape().value(ENDED, status="failed") == 1


def test_only_a_job_that_is_queued_was_submitted(store: JobStore) -> None:
    worker = Worker(store)
    submitter = worker.services.submitter
    job = submitted(store)
    assert not submitter.enqueue(replace(job, submission="another"))
    assert worker.scrape().value("muninn_jobs_submitted_total") == 0


def test_a_submit_that_the_broker_refused_is_none(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(store)
    queue = worker.services.queue

    def refuses(job_id: str) -> None:
        raise ServiceUnavailable("away")

    monkeypatch.setattr(type(queue), "send", lambda self, job_id: refuses(job_id))
    job = submitted(store)
    store.delete(job.id)
    with pytest.raises(ServiceUnavailable):
        worker.services.submitter.enqueue(job)
    assert worker.scrape().value("muninn_jobs_submitted_total") == 0


def test_calls_with_a_callers_own_key_are_counted_too(store: JobStore) -> None:
    row = '{"up": {"base_url": "http://127.0.0.1:1/v1", "allow_caller_keys": true}}'
    services = build_services(load_settings({"MUNINN_PROVIDERS": row}), store=store)
    route = services.registry.with_key(services.registry.resolve("up/m"), SecretStr("theirs"))
    with pytest.raises(ProviderFailure):
        route.provider.create(ProviderRequest("m", {}), UpstreamCall())
    assert shown(services.metrics).value("muninn_provider_errors_total", provider="up") == 1


def test_a_folder_of_our_own_is_private_and_does_not_stay() -> None:
    with counts_folder(None) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "0.cells").write_bytes(b"")
    assert not folder.exists()


def test_what_a_killed_one_left_is_removed_by_the_next_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("common.running.counts.YOUNG_SECONDS", 0.0)
    abandoned = tmp_path / "muninn-counts-abandoned"
    abandoned.mkdir()
    (abandoned / "held").write_bytes(b"")
    with counts_folder(None) as one, counts_folder(None) as another:
        assert set(tmp_path.iterdir()) == {one, another}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_settings_stays(tmp_path: Path) -> None:
    with counts_folder(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()
