"""The job store against a model of it: any order of events, one terminal status, no loose ends."""

import uuid
from dataclasses import dataclass, field

import fakeredis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from common.jobs import TERMINAL, TRANSITIONS, Claim, Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import ENDED_CHANNEL, JOBS_QUEUE, Keys
from common.store.maintenance import JobMaintenance

MAX_ATTEMPTS = 3
FAR_MS = 10**12
INDEXES = ("queued", "running", "parked")
FAILED = Ending(JobStatus.FAILED, error={"code": "provider_error", "message": "no"})
PICK = st.integers(0, 99)
# The oldest attempt, which others may have overtaken, or the newest.
WHICH = st.sampled_from([0, -1])
# What ends a job from outside comes less often than what happens to one that goes on.
SELDOM = st.sampled_from([True, False, False, False])


@dataclass
class Model:
    """What one job should look like. ``place`` is the index that it stands in, if any."""

    id: str
    status: JobStatus = JobStatus.QUEUED
    place: str | None = "queued"
    attempt: int = 0
    failures: int = 0
    lost: int = 0
    token: str = ""
    lease_is_over: bool = False
    result: bytes | None = None
    code: str | None = None
    is_deleted: bool = False
    endings: int = 0
    claims: list[Claim] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.place is not None

    def is_held_by(self, claim: Claim) -> bool:
        return self.place == "running" and self.attempt == claim.attempt

    def wait(self, place: str) -> None:
        self.status, self.place, self.token = JobStatus.QUEUED, place, ""

    def end(self, status: JobStatus, code: str | None = None) -> None:
        assert self.is_active, "a job ended twice"
        self.status, self.place, self.token = status, None, ""
        self.code = code or self.code
        self.endings += 1


class StoreAgainstModel(RuleBasedStateMachine):
    """Callers, workers and janitors do what they like, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.client = fakeredis.FakeRedis()
        limits = StoreLimits(lease_ms=FAR_MS // 100, max_queued_jobs=100, keep_input_bytes=8)
        self.store = JobStore(self.client, Keys(queue=JOBS_QUEUE), limits)
        self.care = JobMaintenance(self.store, build_message)
        self.jobs: list[Model] = []
        self.subscriber = self.client.pubsub(ignore_subscribe_messages=True)
        self.subscriber.subscribe(ENDED_CHANNEL)
        self.heard: list[str] = []
        self.statuses: dict[str, JobStatus] = {}

    def teardown(self) -> None:
        self.subscriber.close()
        self.client.close()

    def a_job(self, pick: int) -> Model:
        """Most often one that has not ended; there is little to see of the others."""
        if pick % 3 == 0:
            return self.jobs[-1 - pick // 3 % min(len(self.jobs), 3)]
        if not any(job.is_active for job in self.jobs):
            self.create()
        active = [job for job in self.jobs if job.is_active]
        return active[pick % len(active)]

    def a_claim(self, pick: int, which: int) -> tuple[Model, Claim] | None:
        """A claim that some attempt, current or overtaken, believes to hold."""
        job = self.a_job(pick)
        if not job.claims:
            self.claim(pick, False)
        return (job, job.claims[which]) if job.claims else None

    def expected(self, place: str) -> set[str]:
        return {job.id for job in self.jobs if job.place == place}

    @initialize()
    def first_job(self) -> None:
        self.create()

    @precondition(lambda self: sum(job.is_active for job in self.jobs) < 2)
    @rule()
    def create(self) -> None:
        job_id = str(uuid.UUID(int=len(self.jobs)))
        new = NewJob(job_id, "", b'{"model":"m"}', b"{}", b'{"id":"x"}', 60, 1, "f", job_id)
        assert self.store.create(new, build_message(job_id))
        self.jobs.append(Model(job_id))

    @rule(pick=PICK, is_repeated=st.booleans())
    def claim(self, pick: int, is_repeated: bool) -> None:
        job = self.a_job(pick)
        token = f"{job.id} {job.attempt + 1}"
        claim = self.store.claim(job.id, token)
        if job.place != "queued":
            assert claim is None
            return
        job.status, job.place, job.token = JobStatus.IN_PROGRESS, "running", token
        job.attempt, job.lease_is_over = job.attempt + 1, False
        assert claim is not None
        assert (claim.attempt, claim.failures) == (job.attempt, job.failures)
        job.claims.append(claim)
        if is_repeated:  # the answer was lost on its way, and the worker asks again
            again = self.store.claim(job.id, token)
            assert again is not None
            assert again.attempt == job.attempt

    @rule(pick=PICK, which=WHICH)
    def succeed(self, pick: int, which: int) -> None:
        """The first success is welcome, whichever attempt brings it."""
        if not (held := self.a_claim(pick, which)):
            return
        job, claim = held
        result = b'{"attempt":%d}' % claim.attempt
        ending = Ending(JobStatus.COMPLETED, result=result, response_id=f"resp {job.id}")
        assert self.store.finish(claim, ending) == job.is_active
        if job.is_active:
            job.end(JobStatus.COMPLETED)
            job.result = result

    @rule(pick=PICK, which=WHICH)
    def fail(self, pick: int, which: int) -> None:
        """A failure counts from the current attempt alone."""
        if not (held := self.a_claim(pick, which)):
            return
        job, claim = held
        is_held = job.is_held_by(claim)
        assert self.store.finish(claim, FAILED) == is_held
        if is_held:
            job.end(JobStatus.FAILED, "provider_error")

    @rule(pick=PICK, which=WHICH, is_parked=st.booleans(), has_failed=st.booleans())
    def release(self, pick: int, which: int, is_parked: bool, has_failed: bool) -> None:
        """Handed back by a stopping worker, or put off because the provider failed."""
        if not (held := self.a_claim(pick, which)):
            return
        job, claim = held
        is_held = job.is_held_by(claim)
        released = self.store.release(
            claim,
            b"" if is_parked else build_message(job.id),
            delay_seconds=60.0 if is_parked else 0.0,
            error={"code": "provider_error"} if has_failed else None,
        )
        assert released == is_held
        if is_held:
            job.wait("parked" if is_parked else "queued")
            job.failures += has_failed
            job.code = "provider_error" if has_failed else job.code

    @rule(pick=PICK, which=WHICH, renew=st.booleans())
    def heartbeat(self, pick: int, which: int, renew: bool) -> None:
        if not (held := self.a_claim(pick, which)):
            return
        job, claim = held
        is_held = job.is_held_by(claim)
        lost = self.store.heartbeat([(job.id, claim.token)], renew=renew)
        assert lost == (set() if is_held else {claim.token})
        if is_held and renew:
            job.lease_is_over = False

    @rule(pick=PICK)
    def lease_runs_out(self, pick: int) -> None:
        job = self.a_job(pick)
        if job.place == "running":
            self.client.zadd(self.store.keys.index("running", 0), {job.id: 1})
            job.lease_is_over = True

    @rule(pick=PICK)
    def lose_worker(self, pick: int) -> None:
        self.lease_runs_out(pick)
        self.rescue()

    @rule(pick=PICK)
    def lose_worker_after_worker(self, pick: int) -> None:
        for _ in range(MAX_ATTEMPTS):
            self.claim(pick, False)
            self.lose_worker(pick)

    @rule(pick=PICK, act=st.sampled_from(["fail", "release", "heartbeat", "succeed"]))
    def overtaken_attempt_speaks_up(self, pick: int, act: str) -> None:
        """It froze, lost its job to another, and knows nothing of it."""
        self.claim(pick, False)
        self.lose_worker(pick)
        self.claim(pick, False)
        more = {"release": (False, True), "heartbeat": (True,)}.get(act, ())
        getattr(self, act)(pick, 0, *more)

    @rule()
    def rescue(self) -> None:
        outcomes = self.care.rescue(self.care.now_ms(), MAX_ATTEMPTS)
        late = [job for job in self.jobs if job.place == "running" and job.lease_is_over]
        assert outcomes.keys() == {job.id for job in late}
        for job in late:
            job.lost += 1
            is_given_up = job.lost >= MAX_ATTEMPTS
            assert outcomes[job.id] == ("failed" if is_given_up else "requeued")
            if is_given_up:
                job.end(JobStatus.FAILED, "worker_lost")
            else:
                job.wait("queued")

    @rule()
    def promote(self) -> None:
        parked = self.expected("parked")
        assert set(self.care.promote_parked(self.care.now_ms() + FAR_MS)) == parked
        for job in self.jobs:
            if job.id in parked:
                job.wait("queued")

    @rule()
    def lose_all_messages_and_queue_again(self) -> None:
        self.client.delete(JOBS_QUEUE)
        queued = self.expected("queued")
        assert set(self.care.requeue_lost(self.care.now_ms() + FAR_MS)) == queued
        assert self.client.llen(JOBS_QUEUE) == len(queued)

    @rule(happens=SELDOM)
    def expire(self, happens: bool) -> None:
        if not happens:
            return
        queued = self.expected("queued")
        assert set(self.care.expire_queued(self.care.now_ms() + FAR_MS)) == queued
        for job in self.jobs:
            if job.id in queued:
                job.end(JobStatus.FAILED, "deadline_exceeded")

    @rule(pick=PICK, happens=SELDOM)
    def cancel(self, pick: int, happens: bool) -> None:
        job = self.a_job(pick)
        if job.is_active and not happens:
            return
        if job.is_active:
            job.end(JobStatus.CANCELLED)
        assert self.store.cancel(job.id) == (None if job.is_deleted else job.status)

    @rule(pick=PICK, happens=SELDOM)
    def delete(self, pick: int, happens: bool) -> None:
        job = self.a_job(pick)
        if not happens:
            return
        assert self.store.delete(job.id) != job.is_deleted
        job.is_deleted, job.place = True, None

    @invariant()
    def every_record_is_as_expected(self) -> None:
        for job in self.jobs:
            record = self.store.get(job.id)
            if job.is_deleted:
                assert record is None
                continue
            assert record is not None
            assert (record.status, record.attempts) == (job.status, job.attempt)
            assert record.result == job.result
            assert (record.error or {}).get("code") == job.code
            assert record.is_ended == (job.endings == 1)

    @invariant()
    def a_status_changes_only_as_the_table_says(self) -> None:
        for job in self.jobs:
            before = self.statuses.get(job.id, job.status)
            assert job.status == before or job.status in TRANSITIONS[before]
            self.statuses[job.id] = job.status

    @invariant()
    def every_active_job_stands_in_one_index_and_an_ended_one_in_none(self) -> None:
        for index in INDEXES:
            members = self.client.zrange(self.store.keys.index(index, 0), 0, -1)
            assert {member.decode() for member in members} == self.expected(index)

    @invariant()
    def what_is_not_alive_expires(self) -> None:
        alive = {self.store.keys.job(job.id) for job in self.jobs if job.is_active}
        alive |= {self.store.keys.index(index, 0) for index in INDEXES} | {JOBS_QUEUE}
        keys = {key.decode() for key in self.client.keys("*")}
        assert {key for key in keys if self.client.ttl(key) == -1} <= alive

    @invariant()
    def every_end_is_counted_once(self) -> None:
        days = self.client.keys("*:usage:*")
        counted = [int(n) for day in days for n in self.client.hvals(day)]
        assert sum(counted) == sum(job.is_deleted or job.endings > 0 for job in self.jobs)

    @invariant()
    def every_end_is_announced_once(self) -> None:
        while message := self.subscriber.get_message():
            self.heard.append(message["data"].decode())
        for job in self.jobs:
            if not job.is_deleted:
                assert self.heard.count(job.id) == job.endings
                assert (job.status in TERMINAL) == bool(job.endings)


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes; 40 steps can be read
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
