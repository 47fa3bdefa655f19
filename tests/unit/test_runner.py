"""One attempt of a job: what is written for each way it can end."""

import time

import orjson
import pytest

from common.bootstrap import build_services
from common.caller_keys import KeyVault
from common.errors import (
    CallAborted,
    ProviderAnsweredError,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
    ServiceUnavailable,
)
from common.inference import CallOptions, Inference
from common.jobs import JobStatus, NewJob
from common.settings import load_settings
from tests.support.fakes import RESPONSE, FakeProvider, inference_on
from worker.calling import JobCaller
from worker.event_writer import EventWriter
from worker.leases import DEADLINE, HANDED_BACK, LOST, LeaseKeeper
from worker.persistence import Persistence
from worker.runner import JobRunner

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"


class Bench:
    """A runner on fakeredis with a fake provider, and one job to run."""

    def __init__(self, store, *outcomes, **settings):
        self.store = store
        self.provider = FakeProvider(*outcomes)
        self.settings = load_settings({}, **settings)
        self.services = build_services(self.settings, store=store)
        self.leases = LeaseKeeper(store)
        self.persistence = Persistence()
        self.runner = self.runner_on(store)

    def runner_on(self, store):
        writer = EventWriter(self.services.events, self.persistence)
        caller = JobCaller(store, inference_on(self.provider), writer, self.persistence, KeyVault())
        return JobRunner(
            store, self.services.queue, caller, self.leases, self.persistence, self.settings
        )

    def submit(self, options=None):
        job = NewJob(
            id=JOB_ID,
            owner="",
            request=b'{"model": "m", "input": "x"}',
            options=(options or CallOptions()).to_json(),
            shape=b'{"model": "m"}',
            ttl_seconds=60,
            created_at_ms=int(time.time() * 1000),
            fingerprint="f",
            submission="s",
        )
        assert self.store.create(job, self.services.queue.message(JOB_ID))

    def run(self, **options):
        self.submit(**options)
        self.runner.run(JOB_ID)
        return self.store.get(JOB_ID)

    def waiting(self):
        return self.store.client.llen("muninn.jobs")


def answered(status, **fields):
    return ProviderAnsweredError(status, "told", code="their_code", **fields)


def test_an_answer_completes_the_job_and_leads_to_it(store):
    bench = Bench(store)
    record = bench.run()
    assert record.status is JobStatus.COMPLETED
    body = orjson.loads(record.result)
    assert body["id"] == record.response_id == "resp_1"
    assert body["extra_fields"]["provider"] == "fake"
    assert store.find_by_response("resp_1").id == JOB_ID
    assert (record.attempts, record.error) == (1, None)


def test_the_provider_gets_the_request_and_the_number_of_the_attempt(store):
    bench = Bench(store)
    bench.run()
    (request,) = bench.provider.requests
    assert (request.body, request.attempt) == ({"model": "m", "input": "x"}, 1)


def test_the_options_of_the_submit_hold_for_the_job(store):
    record = Bench(store).run(options=CallOptions(raw_request=True))
    assert "raw_request" in orjson.loads(record.result)["extra_fields"]


@pytest.mark.parametrize("status", ["incomplete", "completed"])
def test_any_answer_but_a_failed_one_completes_the_job(store, status):
    record = Bench(store, RESPONSE | {"status": status}).run()
    assert record.status is JobStatus.COMPLETED
    assert orjson.loads(record.result)["status"] == status


def test_an_answer_that_was_cancelled_at_the_provider_fails_the_job(store):
    record = Bench(store, RESPONSE | {"status": "cancelled"}).run()
    assert record.status is JobStatus.FAILED
    assert orjson.loads(record.result)["status"] == "cancelled"


def test_an_answer_that_failed_fails_the_job_and_is_kept(store):
    error = {"code": "server_error", "message": "no"}
    record = Bench(store, RESPONSE | {"status": "failed", "error": error}).run()
    assert record.status is JobStatus.FAILED
    assert record.error == error
    assert orjson.loads(record.result)["error"] == error


@pytest.mark.parametrize("response_id", [None, "", 5])
def test_an_answer_without_a_usable_id_ends_the_job_all_the_same(store, response_id):
    record = Bench(store, RESPONSE | {"id": response_id}).run()
    assert (record.status, record.response_id) == (JobStatus.COMPLETED, None)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (answered(400), "their_code"),
        (ProviderInvalidAnswer("odd"), "provider_error"),
        (ProviderTimeout("late"), "provider_timeout"),
    ],
)
def test_a_failure_that_will_not_pass_fails_the_job_at_once(store, failure, code):
    bench = Bench(store, failure)
    record = bench.run()
    assert record.status is JobStatus.FAILED
    assert (record.error["code"], record.error["provider"]) == (code, "fake")
    assert record.result is None
    assert len(bench.provider.requests) == 1


@pytest.mark.parametrize("failure", [answered(503), answered(429), ProviderUnreachable("gone")])
def test_a_failure_that_may_pass_parks_the_job(store, failure):
    record = Bench(store, failure).run()
    assert record.status is JobStatus.QUEUED
    assert record.next_attempt_at_ms > time.time() * 1000
    assert record.error["code"] == failure.code


def test_a_long_retry_after_is_visible(store):
    record = Bench(store, answered(429, retry_after_seconds=300.0)).run()
    assert abs(record.next_attempt_at_ms / 1000 - time.time() - 300) < 5


def test_the_last_of_many_failures_is_what_the_caller_sees(store):
    record = Bench(store, answered(503), max_provider_attempts=1).run()
    assert (record.status, record.error["status_code"]) == (JobStatus.FAILED, 503)


def test_a_bug_of_ours_fails_the_job_and_tells_nothing_of_itself(store, caplog):
    record = Bench(store, RuntimeError("secret")).run()
    assert record.status is JobStatus.FAILED
    assert record.error["code"] == "internal_error"
    assert "secret" not in record.error["message"]
    assert "attempt failed" in caplog.text


def test_a_job_that_is_gone_is_not_run(store):
    bench = Bench(store)
    bench.runner.run(JOB_ID)
    assert bench.provider.requests == []


def test_a_second_message_for_a_job_runs_nothing(store):
    bench = Bench(store)
    bench.run()
    bench.runner.run(JOB_ID)
    assert len(bench.provider.requests) == 1


def test_a_job_is_held_while_it_runs_and_let_go_after(store):
    held = []
    bench = Bench(store, lambda request, call: held.append(bench.leases.held_count()) or {})
    bench.run()
    assert held == [1]
    assert bench.leases.held_count() == 0


def test_a_handed_back_job_is_queued_again_without_counting_as_a_failure(store):
    bench = Bench(store, CallAborted(HANDED_BACK))
    record = bench.run()
    assert (record.status, record.error, record.next_attempt_at_ms) == (
        JobStatus.QUEUED,
        None,
        None,
    )
    assert bench.waiting() == 2  # the message of the submit was never taken here


def test_a_lost_job_is_left_alone(store):
    def lose(request, call):
        store.cancel(JOB_ID)
        raise CallAborted(LOST)

    assert Bench(store, lose).run().status is JobStatus.CANCELLED


def test_an_answer_that_comes_after_the_cancel_is_dropped(store):
    def answer_late(request, call):
        store.cancel(JOB_ID)
        return RESPONSE

    record = Bench(store, answer_late).run()
    assert (record.status, record.result) == (JobStatus.CANCELLED, None)


def test_a_job_that_runs_too_long_fails(store):
    record = Bench(store, CallAborted(DEADLINE)).run()
    assert (record.status, record.error["code"]) == (JobStatus.FAILED, "deadline_exceeded")


def test_a_job_that_waited_too_long_fails_without_a_call(store):
    bench = Bench(store, queue_deadline_seconds=0.000001)
    bench.submit()
    store.client.hset(store.keys.job(JOB_ID), "created_at", "1")
    bench.runner.run(JOB_ID)
    record = store.get(JOB_ID)
    assert (record.status, record.error["code"]) == (JobStatus.FAILED, "deadline_exceeded")
    assert bench.provider.requests == []


def test_a_provider_that_works_on_a_job_that_comes_too_late_is_told(store, monkeypatch):
    told = []
    monkeypatch.setattr(Inference, "cancel_upstream", lambda self, *args: told.append(args))
    bench = Bench(store, queue_deadline_seconds=0.000001)
    bench.submit()
    claim = store.claim(JOB_ID, "first")
    store.note_upstream(claim, "resp_1")
    store.release(claim, b"")
    bench.runner.run(JOB_ID)
    assert store.get(JOB_ID).error["code"] == "deadline_exceeded"
    assert told == [("m", "resp_1", None)]


class FlakyStore:
    """A store that is away for the first few of each kind of call."""

    def __init__(self, store, *names, times=2):
        self._store = store
        self._left = dict.fromkeys(names, times)

    def __getattr__(self, name):
        if self._left.get(name, 0):
            self._left[name] -= 1
            return self._away
        return getattr(self._store, name)

    def _away(self, *arguments, **named):
        raise ServiceUnavailable("away")


@pytest.mark.parametrize("name", ["claim", "finish"])
def test_what_cannot_be_written_is_tried_until_the_store_is_back(store, name):
    bench = Bench(store)
    bench.submit()
    bench.runner_on(FlakyStore(store, name)).run(JOB_ID)
    assert store.get(JOB_ID).status is JobStatus.COMPLETED
    assert len(bench.provider.requests) == 1


def test_a_worker_that_has_to_go_gives_up_writing(store):
    bench = Bench(store)
    bench.submit()
    runner = bench.runner_on(FlakyStore(store, "finish", times=1000))
    bench.persistence.give_up()
    with pytest.raises(ServiceUnavailable):
        runner.run(JOB_ID)
    assert store.get(JOB_ID).status is JobStatus.IN_PROGRESS


def test_a_job_does_not_fail_because_its_worker_had_to_go_without_the_store(store):
    record = (bench := Bench(store, ServiceUnavailable("away"))).run()
    assert (record.status, record.error) == (JobStatus.QUEUED, None)
    assert bench.waiting() == 2


def test_a_worker_that_was_frozen_while_it_claimed_asks_again_and_leaves_what_it_lost(store):
    bench = Bench(store, lease_seconds=0.03)
    bench.submit()
    claim = store.claim

    def frozen_after_the_claim(*asked):
        store.claim = claim
        assert claim(*asked) is not None
        store.cancel(JOB_ID)  # what happens meanwhile
        time.sleep(0.02)  # longer than a third of the lease
        return claim

    store.claim = frozen_after_the_claim
    bench.runner.run(JOB_ID)
    assert bench.provider.requests == []
