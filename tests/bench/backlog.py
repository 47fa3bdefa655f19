"""``python -m tests.bench.backlog``: whether a long queue makes the store slower.

Fills a real store with waiting jobs and measures, at each size, what a submit, a poll, a claim with
its end, and the janitor's round take, and the memory they need.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from common.jobs import Ending, JobStatus, NewJob
from common.queue import build_message
from common.store.connection import connect
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import JOBS_QUEUE, Keys
from common.store.maintenance import JobMaintenance
from common.store.records import new_job_fields
from tests.support.processes import StoreServer

BATCH = 500
SAMPLES = 2_000
ENDING = Ending(JobStatus.COMPLETED, result=b'{"output":[]}')


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backlog", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--body-bytes", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = StoreServer(Path(folder), "--appendfsync", "everysec")
        try:
            measure(open_store(server), options.sizes, options.body_bytes)
        finally:
            server.stop()


def open_store(server: StoreServer) -> JobStore:
    limits = StoreLimits(max_queued_jobs=10**9)
    return JobStore(connect(server.url), Keys(queue=JOBS_QUEUE), limits)


def measure(store: JobStore, sizes: list[int], body_bytes: int) -> None:
    print("waiting jobs   MB in all   bytes/job   submit   poll   claim+end   janitor   (p50, µs)")
    before = used_bytes(store)
    waiting: list[str] = []
    for size in sorted(sizes):
        fill(store, waiting, size, body_bytes)
        used = used_bytes(store) - before
        timings = [f"{micros:8.0f}" for micros in timed(store, waiting, body_bytes)]
        print(f"{size:>12,}{used / 1e6:>12,.0f}{used / size:>12,.0f}", *timings)


def fill(store: JobStore, waiting: list[str], size: int, body_bytes: int) -> None:
    while len(waiting) < size:
        jobs = [new_job(body_bytes) for _ in range(min(BATCH, size - len(waiting)))]
        store.scripts.run_many("create", [created(store, job) for job in jobs])
        waiting += [job.id for job in jobs]


def created(store: JobStore, job: NewJob) -> tuple[list[str], list[str | bytes | int]]:
    owned = store.keys.owned(job.owner, 0)
    head: list[str | bytes | int] = [job.id, build_message(job.id), 10**9, "", owned, ""]
    return store.keys.of_script(job.id), [*head, 10**10, "", *new_job_fields(job)]


def timed(store: JobStore, waiting: list[str], body_bytes: int) -> list[float]:
    """Medians in microseconds, over jobs from all over the queue."""
    step = max(1, len(waiting) // SAMPLES)
    sample = waiting[::step][:SAMPLES]
    care = JobMaintenance(store, build_message)

    def run(job_id: str) -> None:
        claim = store.claim(job_id, uuid.uuid4().hex)
        assert claim is not None
        store.finish(claim, ENDING)

    def submit(_: str) -> None:
        job = new_job(body_bytes)
        store.create(job, build_message(job.id))
        waiting.append(job.id)

    def janitor(_: str) -> None:
        now_ms = care.now_ms()
        care.promote_parked(now_ms)
        care.rescue(now_ms, 3)

    figures = [median_us(submit, sample), median_us(store.get, sample)]
    figures.append(median_us(run, sample))
    ended = set(sample)
    waiting[:] = [job_id for job_id in waiting if job_id not in ended]
    return [*figures, median_us(janitor, sample[:100])]


def median_us(action: Callable[[str], object], sample: list[str]) -> float:
    taken = []
    for job_id in sample:
        started = time.perf_counter()
        action(job_id)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def new_job(body_bytes: int) -> NewJob:
    return NewJob(
        id=str(uuid.uuid4()),
        owner="",
        request=b"x" * body_bytes,
        options=b"{}",
        shape=b"y" * 650,
        ttl_seconds=3600,
        created_at_ms=int(time.time() * 1000),
        fingerprint="f" * 64,
        submission=uuid.uuid4().hex,
    )


def used_bytes(store: JobStore) -> int:
    return int(store.client.info("memory")["used_memory"])


if __name__ == "__main__":
    main()
