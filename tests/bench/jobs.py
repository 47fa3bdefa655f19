"""Jobs: submitting them, polling them, and running them to their end."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.calls import MB, WARM_SECONDS
from tests.bench.figures import MUNINN, PEER, Figures, percentile
from tests.bench.load import LoadGenerator, Tally
from tests.bench.payloads import KIB, MODEL, SIZES, Order, post, request_body
from tests.bench.stage import RESPONSES, Peer, Stage
from tests.bench.store_usage import StoreUsage
from tests.support.waiting import wait_until

CONNECTIONS = 50
SUBMIT = "submit c50"
EMPTY = "jobs empty"
SLOW = "jobs 2 s"
ECHO = "echo job"
ALL_ENDED_WITHIN_SECONDS = 120.0
AS_JOB = {"x-bf-async": "true"}
# A background answer of the peer is read from a stream of the provider's.
PEER_ORDER = Order(events=9)


@dataclass(frozen=True, slots=True)
class JobLoad:
    """How many jobs, of which kind, and for how long polls and submits are measured."""

    seconds: float
    jobs: int
    slow_jobs: int
    slow_at_once: int
    echo_jobs: int
    peer_jobs: int


def submit_request(order: Order, model: str = MODEL, size: int = 2 * KIB) -> bytes:
    return post(RESPONSES, request_body(order, model, size), AS_JOB)


def measure_submit(stage: Stage, figures: Figures, load: JobLoad) -> None:
    """Submits as fast as they are answered, and no worker to take the jobs."""
    request = submit_request(Order())
    with LoadGenerator(stage.front.port, CONNECTIONS) as generator:
        generator.run(request, seconds=WARM_SECONDS)
        usage = StoreUsage(stage.store)
        before = stage.front.tree.cpu_seconds()
        tally = generator.run(request, seconds=load.seconds)
        cpu_seconds = stage.front.tree.cpu_seconds() - before
    figures.add(SUBMIT, MUNINN, **_of(tally, cpu_seconds), **usage.per(tally.answered))
    stage.empty_store()


def measure_submit_of_peer(peer: Peer, stage: Stage, figures: Figures, load: JobLoad) -> None:
    """The peer's background mode: submits, and how long until the provider was asked for all."""
    body = json.loads(request_body(Order(events=PEER_ORDER.events), peer.model, 2 * KIB))
    del body["stream"]
    request = post(peer.path, json.dumps({**body, "background": True}).encode())
    calls = int(stage.mock_stats()["calls"])
    before = peer.tree.cpu_seconds() if peer.tree else 0.0
    with LoadGenerator(peer.port, CONNECTIONS) as generator:
        tally = generator.run(request, total=load.peer_jobs)

    def all_called() -> bool:
        stats = stage.mock_stats()
        return stats["calls"] - calls >= tally.answered and not stats["in_flight"]

    began = time.perf_counter() - tally.seconds
    wait_until(all_called, "the peer has called the provider", ALL_ENDED_WITHIN_SECONDS)
    seconds = time.perf_counter() - began
    cpu = {"cpu_ms": (peer.tree.cpu_seconds() - before) / tally.answered * 1e3} if peer.tree else {}
    figures.add(SUBMIT, PEER, per_second=tally.rate, errors=tally.errors)
    figures.add(EMPTY, PEER, per_second=tally.answered / seconds, **cpu)


def measure_polls(stage: Stage, figures: Figures, load: JobLoad) -> None:
    """Polls of a job that waits and of one that has ended; its worker is idle meanwhile."""
    sizes = list(SIZES.items())[:2]
    for label, size in sizes:
        job_id = _submitted(stage, submit_request(Order(size), size=size))
        _poll(stage, figures, f"poll waiting {label} c50", job_id, load.seconds)
    stage.empty_store()
    with ExitStack() as closing:
        stage.fresh_worker(closing)
        for label, size in sizes:
            job_id = _submitted(stage, submit_request(Order(size), size=size))
            wait_until(stage.store_is_idle, "the job has ended")
            _poll(stage, figures, f"poll finished {label} c50", job_id, load.seconds)
        _measure_echo(stage, figures, load.echo_jobs)
    stage.empty_store()


def _poll(stage: Stage, figures: Figures, case: str, job_id: str, seconds: float) -> None:
    request = poll_request(job_id)
    with LoadGenerator(stage.front.port, CONNECTIONS) as generator:
        generator.run(request, seconds=WARM_SECONDS)
        usage = StoreUsage(stage.store)
        before = stage.front.tree.cpu_seconds()
        tally = generator.run(request, seconds=seconds)
        cpu_seconds = stage.front.tree.cpu_seconds() - before
    figures.add(case, MUNINN, **_of(tally, cpu_seconds), **usage.per(tally.answered))


def _measure_echo(stage: Stage, figures: Figures, jobs: int) -> None:
    """From a submit to the first poll that shows the result, one job at a time."""
    submit = submit_request(Order(), "echo/hello", 0)
    waits = []
    with LoadGenerator(stage.front.port, 1, keeps_bodies=True) as generator:
        for _ in range(jobs):
            began = time.perf_counter()
            job_id = json.loads(generator.run(submit, total=1).bodies[0])["id"]
            poll = poll_request(job_id)
            while json.loads(generator.run(poll, total=1).bodies[0])["status"] != "completed":
                continue
            waits.append(time.perf_counter() - began)
    p50_ms, p99_ms = percentile(waits, 50) * 1e3, percentile(waits, 99) * 1e3
    figures.add(ECHO, MUNINN, p50_ms=p50_ms, p99_ms=p99_ms)


def measure_empty_jobs(stage: Stage, figures: Figures, load: JobLoad) -> None:
    """Jobs whose provider answers at once, from the first submit to the last end: one front, one
    worker, and the core that both share."""
    request = submit_request(Order())
    with ExitStack() as closing:
        worker = stage.fresh_worker(closing)
        _run_jobs(stage, request, 100)
        usage = StoreUsage(stage.store)
        before = worker.cpu_seconds(), stage.front.tree.cpu_seconds()
        seconds, job_ids = _run_jobs(stage, request, load.jobs)
        figures.add(
            EMPTY,
            MUNINN,
            per_second=load.jobs / seconds,
            worker_cpu_ms=(worker.cpu_seconds() - before[0]) / load.jobs * 1e3,
            front_cpu_ms=(stage.front.tree.cpu_seconds() - before[1]) / load.jobs * 1e3,
            not_completed=load.jobs - _completed(stage, job_ids),
            **usage.per(load.jobs),
        )
    stage.empty_store()


def measure_slow_jobs(stage: Stage, figures: Figures, load: JobLoad) -> None:
    """Calls of 2 s, as many at once as the worker has slots."""
    request = submit_request(Order(delay_ms=2000))
    with ExitStack() as closing:
        worker = stage.fresh_worker(closing, worker_concurrency=load.slow_at_once)
        _run_jobs(stage, submit_request(Order()), 20)
        idle_bytes = worker.memory_bytes()
        worker.forget_peak()
        stage.mock_stats()
        before = worker.cpu_seconds()
        seconds, job_ids = _run_jobs(stage, request, load.slow_jobs)
        most = stage.mock_stats()["most_in_flight"]
        cpu_seconds, peak_bytes = worker.cpu_seconds() - before, worker.peak_bytes()
        figures.add(
            SLOW,
            MUNINN,
            per_second=load.slow_jobs / seconds,
            most_in_flight=most,
            worker_cpu_ms=cpu_seconds / load.slow_jobs * 1e3,
            idle_mb=idle_bytes / MB,
            peak_mb=peak_bytes / MB,
            kb_per_call=(peak_bytes - idle_bytes) / 1024 / most,
            not_completed=load.slow_jobs - _completed(stage, job_ids),
        )
    stage.empty_store()


def _run_jobs(stage: Stage, request: bytes, jobs: int) -> tuple[float, list[str]]:
    """How long that many jobs took from the first submit to the last end, and their ids."""
    began = time.perf_counter()
    with LoadGenerator(stage.front.port, CONNECTIONS, keeps_bodies=True) as generator:
        tally = generator.run(request, total=jobs)
    wait_until(stage.store_is_idle, "every job has ended", ALL_ENDED_WITHIN_SECONDS)
    return time.perf_counter() - began, [json.loads(body)["id"] for body in tally.bodies]


def _completed(stage: Stage, job_ids: list[str]) -> int:
    """How many of the jobs have a result, by polling each."""
    polls = (poll_request(job_id) for job_id in job_ids)
    with LoadGenerator(stage.front.port, CONNECTIONS, keeps_bodies=True) as generator:
        tally = generator.run(polls.__next__, total=len(job_ids))
    return sum(json.loads(body)["status"] == "completed" for body in tally.bodies)


def _submitted(stage: Stage, request: bytes) -> str:
    with LoadGenerator(stage.front.port, 1, keeps_bodies=True) as generator:
        return str(json.loads(generator.run(request, total=1).bodies[0])["id"])


def poll_request(job_id: str) -> bytes:
    return post(RESPONSES, b"", {"x-bf-async-id": job_id})


def _of(tally: Tally, cpu_seconds: float) -> dict[str, float]:
    return {
        "per_second": tally.rate,
        "cpu_ms": cpu_seconds / max(1, tally.answered) * 1e3,
        "p50_ms": percentile(tally.latencies, 50) * 1e3,
        "p99_ms": percentile(tally.latencies, 99) * 1e3,
        "errors": tally.errors,
    }
