"""Inline calls and streams: to Muninn, to the mock directly, and to the peer, in turn."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.figures import DIRECT, MUNINN, PEER, Figures, percentile
from tests.bench.load import LoadGenerator, Tally
from tests.bench.payloads import MODEL, SIZES, Order, post, request_body
from tests.bench.stage import RESPONSES, Stage
from tests.bench.usage import ProcessTree

MB = 1024 * 1024
WARM_SECONDS = 0.3
# Beyond these a slow peer would hold up the whole run.
PEER_MOST_CONNECTIONS = 100
IN_FLIGHT = 1000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of load."""

    name: str
    connections: int
    order: Order
    request_bytes: int = 0

    @property
    def lasts_seconds(self) -> float:
        """How long the provider takes for one of them."""
        return (self.order.delay_ms + self.order.events * self.order.gap_ms) / 1000


@dataclass(frozen=True, slots=True)
class Target:
    """Who is called; ``tree`` when its processor time can be read."""

    name: str
    port: int
    path: str
    model: str
    tree: ProcessTree | None


INLINE = [
    Case(f"inline {label} c{connections}", connections, Order(size), size)
    for label, size in SIZES.items()
    for connections in (1, 50, 500)
]
BURST = Case("stream burst c50", 50, Order(events=100))
SPACED = Case("stream spaced c100", 100, Order(events=100, gap_ms=20))
CALLS_IN_FLIGHT = Case("in flight 1000 calls", IN_FLIGHT, Order(delay_ms=1000), 2048)
STREAMS_IN_FLIGHT = Case("in flight 1000 streams", IN_FLIGHT, Order(events=100, gap_ms=50))
BURSTS_IN_FLIGHT = Case("in flight 1000 bursts", IN_FLIGHT, Order(events=100))


def targets(stage: Stage, case: Case) -> Iterator[Target]:
    """Who gets the load of a case, in the order of a round."""
    yield Target(DIRECT, stage.mock_port, RESPONSES, MODEL, ProcessTree(stage.mock.pid))
    yield Target(MUNINN, stage.front.port, RESPONSES, MODEL, stage.front.tree)
    peer = stage.peer
    if peer and case.connections <= PEER_MOST_CONNECTIONS:
        yield Target(PEER, peer.port, peer.path, peer.model, peer.tree)


def measure_inline(stage: Stage, figures: Figures, case: Case, seconds: float) -> None:
    """Calls as fast as they are answered."""
    for target in targets(stage, case):
        tally, cpu_seconds = _loaded(target, case, seconds)
        figures.add(
            case.name, target.name, **_times(tally), **_per_call(target, tally, cpu_seconds)
        )


def measure_streams(stage: Stage, figures: Figures, case: Case, seconds: float) -> None:
    """Streams, each followed by the next; spaced ones begin spread over their length."""
    for target in targets(stage, case):
        tally, cpu_seconds = _loaded(target, case, max(seconds, 1.5 * case.lasts_seconds))
        figures.add(
            case.name,
            target.name,
            **_times(tally),
            **_per_event(target, tally, cpu_seconds),
            first_event_p50_ms=percentile(tally.first_events, 50) * 1e3,
            first_event_p99_ms=percentile(tally.first_events, 99) * 1e3,
        )


def measure_in_flight(stage: Stage, figures: Figures, case: Case) -> None:
    """Many at once, each connection with one call, in a front that has served nothing before."""
    request = post(RESPONSES, request_body(case.order, size=case.request_bytes))
    with LoadGenerator(stage.mock_port, case.connections) as load:
        direct = load.run(request, total=case.connections)
    figures.add(case.name, DIRECT, **_times(direct), **_lateness(direct, case))
    with ExitStack() as closing:
        front = stage.fresh_front(closing)
        _warm(front.port, Order(events=9))
        idle_bytes = front.tree.memory_bytes()
        front.tree.forget_peak()
        cpu_before = front.tree.cpu_seconds()
        load = closing.enter_context(LoadGenerator(front.port, case.connections))
        tally = load.run(request, total=case.connections)
        cpu_seconds = front.tree.cpu_seconds() - cpu_before
        peak_bytes = front.tree.peak_bytes()
    events = {"cpu_us_per_event": cpu_seconds / tally.events * 1e6} if tally.events else {}
    figures.add(
        case.name,
        MUNINN,
        **_times(tally),
        **_lateness(tally, case),
        **events,
        idle_mb=idle_bytes / MB,
        peak_mb=peak_bytes / MB,
        kb_each=(peak_bytes - idle_bytes) / case.connections / 1024,
        cpu_ms=cpu_seconds / case.connections * 1e3,
    )


def _loaded(target: Target, case: Case, seconds: float) -> tuple[Tally, float]:
    """The tally of a warmed-up run, and the processor seconds it took the target."""
    body = request_body(case.order, target.model, case.request_bytes)
    request = post(target.path, body)
    spread = case.lasts_seconds
    with LoadGenerator(target.port, case.connections) as load:
        load.run(request, seconds=WARM_SECONDS) if not spread else None
        before = target.tree.cpu_seconds() if target.tree else 0.0
        tally = load.run(request, seconds=seconds, start_over_seconds=spread)
        after = target.tree.cpu_seconds() if target.tree else 0.0
    return tally, after - before


def _warm(port: int, order: Order) -> None:
    with LoadGenerator(port, 1) as load:
        load.run(post(RESPONSES, request_body(order)), total=20)


def _times(tally: Tally) -> dict[str, float]:
    return {
        "per_second": tally.rate,
        "p50_ms": percentile(tally.latencies, 50) * 1e3,
        "p99_ms": percentile(tally.latencies, 99) * 1e3,
        "errors": tally.errors,
    }


def _lateness(tally: Tally, case: Case) -> dict[str, float]:
    return {
        "late_p50_ms": (percentile(tally.latencies, 50) - case.lasts_seconds) * 1e3,
        "late_p99_ms": (percentile(tally.latencies, 99) - case.lasts_seconds) * 1e3,
    }


def _per_call(target: Target, tally: Tally, cpu_seconds: float) -> dict[str, float]:
    known = target.tree and tally.answered
    return {"cpu_ms": cpu_seconds / tally.answered * 1e3} if known else {}


def _per_event(target: Target, tally: Tally, cpu_seconds: float) -> dict[str, float]:
    known = target.tree and tally.events
    per_event = {"cpu_us_per_event": cpu_seconds / tally.events * 1e6} if known else {}
    return {**per_event, "events_per_stream": tally.events / max(1, tally.answered)}
