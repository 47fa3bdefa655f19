"""``python -m tests.bench.scaling``: what a second process adds.

One and then two processes of a kind, with mock provider, load generator and store on the same
cores, for a machine with two has no others: so the rate of two is less than twice that of one by
what those take. Each count gets a stage of its own.
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.bench.jobs import submit_request
from tests.bench.load import LoadGenerator, Tally
from tests.bench.payloads import KIB, Order, post, request_body
from tests.bench.stage import RESPONSES, Front, Stage
from tests.bench.usage import ProcessTree
from tests.support.waiting import wait_until

CONNECTIONS = 50
SLOTS = 500
ENDED_WITHIN_SECONDS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=4_000)
    options = parser.parse_args()
    print("processes   inline/s   front ms   empty jobs/s   worker ms   2 s jobs/s   store busy %")
    for count in options.processes:
        with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
            print(f"{count:9}", *measure(stage, count, options.seconds, options.jobs), flush=True)


def measure(stage: Stage, count: int, seconds: float, jobs: int) -> list[str]:
    """The figures of one line, in the order of the heading."""
    rate, front_ms = inline(stage, count, seconds)
    empty_rate, worker_ms, store_share = run_jobs(stage, count, Order(), jobs)
    slow_rate, _, _ = run_jobs(stage, count, Order(delay_ms=2000), 4 * SLOTS)
    return [
        f"{rate:>10,.0f}",
        f"{front_ms:10.3f}",
        f"{empty_rate:>14,.0f}",
        f"{worker_ms:11.2f}",
        f"{slow_rate:>12,.0f}",
        f"{100 * store_share:14.0f}",
    ]


def inline(stage: Stage, count: int, seconds: float) -> tuple[float, float]:
    """Requests per second of all fronts, and processor time (ms) of a front for each."""
    request = post(RESPONSES, request_body(Order(), size=2 * KIB))
    with ExitStack() as closing:
        fronts = [stage.front, *(stage.fresh_front(closing) for _ in range(count - 1))]
        let_loose(stage, [front.tree for front in fronts])

        def load(front: Front) -> Tally:
            with LoadGenerator(front.port, CONNECTIONS) as generator:
                return generator.run(request, seconds=seconds)

        with ThreadPoolExecutor(count) as pool:
            before = cpu_seconds([front.tree for front in fronts])
            tallies = list(pool.map(load, fronts))
            used = cpu_seconds([front.tree for front in fronts]) - before
    answered = sum(tally.answered for tally in tallies)
    return sum(tally.rate for tally in tallies), used / answered * 1e3


def run_jobs(stage: Stage, count: int, order: Order, jobs: int) -> tuple[float, float, float]:
    """Jobs per second from the first submit to the last end, processor time (ms) of a worker for
    each, and the share of one core that the store took."""
    with ExitStack() as closing:
        workers = [stage.fresh_worker(closing, worker_concurrency=SLOTS) for _ in range(count)]
        let_loose(stage, workers)
        store = ProcessTree(stage.store.process.pid)
        before, store_before = cpu_seconds(workers), store.cpu_seconds()
        began = time.perf_counter()
        with LoadGenerator(stage.front.port, CONNECTIONS) as generator:
            generator.run(submit_request(order), total=jobs)
        wait_until(stage.store_is_idle, "every job has ended", ENDED_WITHIN_SECONDS)
        took = time.perf_counter() - began
        used, store_used = cpu_seconds(workers) - before, store.cpu_seconds() - store_before
    stage.empty_store()
    return jobs / took, used / jobs * 1e3, store_used / took


def let_loose(stage: Stage, trees: list[ProcessTree]) -> None:
    """Whoever takes part may run on any core."""
    everywhere = stage.cores.measured | stage.cores.others
    os.sched_setaffinity(0, everywhere)
    helpers = [ProcessTree(stage.mock.pid), ProcessTree(stage.store.process.pid)]
    for tree in [*trees, stage.front.tree, *helpers]:
        tree.pin(everywhere)


def cpu_seconds(trees: list[ProcessTree]) -> float:
    """What all of them have used so far."""
    return sum(tree.cpu_seconds() for tree in trees)


if __name__ == "__main__":
    main()
