"""Gates and the line, whatever happens: the bounds hold, nobody waits who could go on, and all is
free in the end.
"""

import itertools
import time
import uuid
from collections.abc import Iterator

import fakeredis
import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from common.jobs import Claim, Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, Keys
from common.store.maintenance import JobMaintenance

ENOUGH = 8  # messages in the queue; see prelude.lua
FAR_MS = 10**12
INDEXES = ("queued", "running", "parked", "held")
DONE = Ending(JobStatus.COMPLETED, result=b"{}")
FAILED = Ending(JobStatus.FAILED, error={"code": "x"})
PICK = st.integers(0, 999)
OWNERS = ("", "key_a", "key_b")
OWNER = st.sampled_from([*OWNERS, "key_a", "key_a"])
PROVIDERS = {"tight": 1, "wide": 3, "free": None}


class GatesInUse(RuleBasedStateMachine):
    """Jobs of three owners for three providers, in the hands of whoever takes a message."""

    def __init__(self) -> None:
        super().__init__()
        self.client = fakeredis.FakeRedis()
        limits = StoreLimits(lease_ms=FAR_MS // 100, max_queued_jobs=1000, keep_input_bytes=8)
        self.store = JobStore(self.client, Keys(queue=JOBS_QUEUE), limits)
        self.care = JobMaintenance(self.store, build_message)
        self.active: dict[str, NewJob] = {}
        self.claims: dict[str, Claim] = {}
        self.bounds: dict[str, int] = {}
        self.holders: dict[str, int] = {}
        self.vanished: set[str] = set()
        self.unheard: set[str] = set()
        self.overtaken: list[Claim] = []
        self.numbers = itertools.count()

    def teardown(self) -> None:
        try:
            self.everything_ends()
        finally:
            self.client.close()

    # What happens

    @initialize()
    def begin(self) -> None:
        self.submit("key_a", "wide", 2, 12)
        self.workers_take(JOBS_QUEUE, 20)
        self.submit("key_b", "free", None, 12)

    @rule(
        owner=OWNER,
        provider=st.sampled_from(sorted(PROVIDERS)),
        max_running=st.sampled_from([None, 1, 2, 5]),
        count=st.sampled_from([1, 1, 1, 5]),
    )
    def submit(self, owner: str, provider: str, max_running: int | None, count: int) -> None:
        max_running = max_running if owner else None
        for _ in range(count):
            job = NewJob(
                id=str(uuid.UUID(int=next(self.numbers))),
                owner=owner,
                request=b'{"model":"m"}',
                options=b"{}",
                shape=b'{"id":"x"}',
                ttl_seconds=60,
                created_at_ms=int(time.time() * 1000),
                fingerprint="f",
                submission="s",
                max_running=max_running,
                provider=provider,
                max_in_flight=PROVIDERS[provider],
            )
            assert self.store.create(job, build_message(job.id))
            self.active[job.id] = job
        self.note_bound(self.store.keys.peers(owner, 0), max_running)
        self.note_bound(self.store.keys.calls(provider, 0), PROVIDERS[provider])

    def note_bound(self, gate: str, bound: int | None) -> None:
        self.bounds[gate] = 10**9 if bound is None else bound

    @rule()
    def all_messages_are_taken(self) -> None:
        self.workers_take(CALLED_QUEUE, 20)
        self.workers_take(JOBS_QUEUE, 20)

    @rule(queue=st.sampled_from([JOBS_QUEUE, CALLED_QUEUE]), count=st.sampled_from([1, 3, 20]))
    def workers_take(self, queue: str, count: int) -> None:
        for _ in range(count):
            message = self.client.rpop(queue)
            if message is None:
                return
            self.claim(orjson.loads(message)["headers"]["id"])

    @rule(pick=PICK)
    def somebody_has_an_old_message(self, pick: int) -> None:
        if job := self.pick(pick, sorted(self.active)):
            self.claim(job)

    @rule(queue=st.sampled_from([JOBS_QUEUE, CALLED_QUEUE]))
    def messages_are_lost(self, queue: str) -> None:
        self.unheard.update(self.messages())
        self.client.delete(queue)

    @rule(queue=st.sampled_from([JOBS_QUEUE, CALLED_QUEUE]))
    def a_stopping_worker_passes_a_message_on(self, queue: str) -> None:
        if message := self.client.rpop(queue):
            job_id = orjson.loads(message)["headers"]["id"]
            is_waiting = job_id in self.index("queued") or job_id in self.called()
            assert self.store.pass_on(job_id, build_message(job_id)) == is_waiting
            assert not is_waiting or job_id in [*self.messages(), *self.index("held")]

    @rule(pick=PICK, ending=st.sampled_from([DONE, DONE, FAILED]))
    def finish(self, pick: int, ending: Ending) -> None:
        if job := self.pick(pick, sorted(self.claims)):
            assert self.store.finish(self.claims.pop(job), ending)
            del self.active[job]

    @rule(pick=PICK, delay_seconds=st.sampled_from([0.0, 60.0]))
    def release(self, pick: int, delay_seconds: float) -> None:
        if job := self.pick(pick, sorted(self.claims)):
            message = b"" if delay_seconds else build_message(job)
            claim = self.claims.pop(job)
            assert self.store.release(claim, message, delay_seconds=delay_seconds)

    @rule(pick=PICK)
    def lose_worker(self, pick: int) -> None:
        if job := self.pick(pick, sorted(self.claims)):
            self.overtaken.append(self.claims.pop(job))
            self.client.zadd(self.store.keys.index("running", 0), {job: 1})
            assert self.care.rescue(self.care.now_ms(), 10**6) == {job: "requeued"}

    @rule(pick=PICK)
    def an_overtaken_attempt_succeeds(self, pick: int) -> None:
        if self.overtaken:
            job = self.overtaken[pick % len(self.overtaken)].job_id
            claim = self.overtaken.pop(pick % len(self.overtaken))
            assert self.store.finish(claim, DONE) == (job in self.active)
            self.active.pop(job, None)
            self.claims.pop(job, None)

    @rule(pick=PICK, how=st.sampled_from(["cancel", "delete", "discard"]))
    def end_from_outside(self, pick: int, how: str) -> None:
        if not (job := self.pick(pick, sorted(self.active))):
            return
        if how == "discard":
            self.store.discard(self.active[job])
        else:
            getattr(self.store, how)(job)
        del self.active[job]
        self.claims.pop(job, None)

    @rule(pick=PICK)
    def a_record_vanishes(self, pick: int) -> None:
        """Nothing of ours does that; whatever it leaves behind heals."""
        if job := self.pick(pick, sorted(self.active)):
            self.client.delete(self.store.keys.job(job))
            for index in INDEXES:
                self.client.zrem(self.store.keys.index(index, 0), job)
            del self.active[job]
            self.claims.pop(job, None)
            self.vanished.add(job)
            self.janitor()

    @rule()
    def janitor(self) -> None:
        gates = self.store.keys.index("gates", 0)
        for gate in self.client.zrange(gates, 0, -1):
            self.client.zadd(gates, {gate: 1})
        self.care.tend_gates(self.care.now_ms())
        if self.client.exists(f"{self.store.keys.index('line', 0)}:waiting"):
            assert self.client.llen(JOBS_QUEUE) >= ENOUGH, "the line stands still"
        far_ms = self.care.now_ms() + FAR_MS
        self.care.promote_parked(far_ms)
        if not self.client.exists(JOBS_QUEUE):
            self.care.requeue_lost(far_ms)

    # What holds

    @invariant()
    def no_gate_has_more_than_its_bound(self) -> None:
        for gate, bound in self.bounds.items():
            holders = int(self.client.scard(gate))
            # A bound that was lowered counts for those who come.
            assert holders <= max(bound, self.holders.get(gate, 0))
            self.holders[gate] = holders

    @invariant()
    def nobody_waits_where_a_place_is_free(self) -> None:
        for gate, bound in self.bounds.items():
            is_full = int(self.client.scard(gate)) >= bound
            assert is_full or not self.client.exists(f"{gate}:waiting")

    @invariant()
    def what_is_in_use_is_looked_at(self) -> None:
        looked_at = {gate.decode() for gate in self.client.zrange("muninn:{0}:gates", 0, -1)}
        for gate in (*self.bounds, self.store.keys.index("line", 0)):
            is_used = self.client.exists(gate, f"{gate}:waiting")
            assert (gate in looked_at) == bool(is_used)

    @invariant()
    def who_runs_has_its_places(self) -> None:
        for job in self.claims:
            for gate in self.gates_of(job):
                assert self.client.sismember(gate, job)

    @invariant()
    def a_place_is_had_to_run_now_or_soon(self) -> None:
        going_on = {*self.claims, *self.index("held"), *self.called()}
        for gate in self.bounds:
            assert {member.decode() for member in self.client.smembers(gate)} <= going_on

    @invariant()
    def every_active_job_stands_in_one_index(self) -> None:
        standing = [member for index in INDEXES for member in self.index(index)]
        assert sorted(standing) == sorted(self.active)
        assert set(self.index("running")) == set(self.claims)

    @invariant()
    def who_can_go_on_has_a_message_unless_that_was_lost(self) -> None:
        self.unheard.difference_update(self.messages())
        going_on = {*self.index("queued"), *self.called()}
        assert going_on - {*self.messages()} <= self.unheard

    @invariant()
    def the_held_wait_in_one_place_each(self) -> None:
        gates = [*self.bounds, self.store.keys.index("line", 0)]
        waiting = {
            member.decode(): gate
            for gate in gates
            for member in self.client.zrange(f"{gate}:waiting", 0, -1)
            if member.decode() not in self.vanished
        }
        assert sorted(waiting) == sorted(self.index("held"))
        for job, gate in waiting.items():
            assert self.client.hget(self.store.keys.job(job), "waits") == gate.encode()

    # In the end

    def everything_ends(self) -> None:
        """The janitor comes by and workers work: then every job runs, and nothing is left of it."""
        for _ in range(len(self.active) * 2 + 2):
            for job in list(self.claims):
                assert self.store.finish(self.claims.pop(job), DONE)
                del self.active[job]
            self.janitor()
            for queue in (JOBS_QUEUE, CALLED_QUEUE):
                self.workers_take(queue, 1000)
        assert not self.active
        left = {key.decode() for key in self.client.keys("*") if self.client.ttl(key) == -1}
        assert not left

    # Small things

    def claim(self, job_id: str) -> None:
        claim = self.store.claim(job_id, uuid.uuid4().hex, build_message(job_id))
        if claim is not None:
            assert job_id in self.active
            assert job_id not in self.claims
            self.claims[job_id] = claim

    def pick(self, number: int, of: list[str]) -> str | None:
        return of[number % len(of)] if of else None

    def messages(self) -> list[str]:
        queues = (self.client.lrange(name, 0, -1) for name in (JOBS_QUEUE, CALLED_QUEUE))
        return [orjson.loads(message)["headers"]["id"] for queue in queues for message in queue]

    def called(self) -> list[str]:
        """Those that have their places, and a message or soon another."""
        keys = self.store.keys
        return [
            job
            for job in self.index("parked")
            if self.client.hexists(keys.job(job), "held_message")
        ]

    def index(self, name: str) -> list[str]:
        return [job.decode() for job in self.client.zrange(self.store.keys.index(name, 0), 0, -1)]

    def gates_of(self, job_id: str) -> Iterator[str]:
        for gate in self.client.hmget(self.store.keys.job(job_id), ["peers", "calls"]):
            if gate is not None:
                yield gate.decode()


TestGatesInUse = GatesInUse.TestCase
TestGatesInUse.settings = settings(
    max_examples=12,
    stateful_step_count=40,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
