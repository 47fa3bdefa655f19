"""One run: start everything, let the plan happen, wait for the promises, gather the evidence."""

import contextlib
import sys
import time
from pathlib import Path

import requests

from tests.chaos.announcements import Listener
from tests.chaos.clients import Callers
from tests.chaos.cluster import Cluster
from tests.chaos.faults import Saboteur
from tests.chaos.judge import Evidence, Verdict, judge
from tests.chaos.leftovers import leftovers, stored_tokens
from tests.chaos.plan import Plan
from tests.chaos.provider import Call
from tests.support.waiting import wait_until


def run(plan: Plan, folder: Path, patience_seconds: float = 120.0) -> Verdict:
    """The verdict on a plan that was carried out in ``folder``, where the logs stay."""
    cluster = Cluster(folder, plan)
    listener = Listener(cluster.store.url)
    stubborn: list[str] = []
    try:
        cluster.start()
        listener.start()
        evidence = _carry_out(plan, cluster, listener, patience_seconds)
    finally:
        listener.stop()
        stubborn = cluster.stop()
    evidence.stubborn += stubborn
    return judge(evidence)


def _carry_out(
    plan: Plan, cluster: Cluster, listener: Listener, patience_seconds: float
) -> Evidence:
    callers, saboteur = Callers(cluster.root), Saboteur(cluster)
    began = time.monotonic()
    submitters = callers.submit_all(plan.jobs, began)
    callers.watch()
    try:
        saboteur.run(plan.faults, began)
        for submitter in submitters:
            submitter.join()
        say(f"{len(callers.accepted)} jobs accepted, faults over; waiting for {callers.waiting}")
        with contextlib.suppress(AssertionError):  # the judge says which
            wait_until(lambda: callers.waiting == 0, "every job ended", patience_seconds)
    finally:
        callers.stop()
    left = leftovers(cluster.store)
    with requests.Session() as session:
        for job in callers.accepted:
            callers.look(session, job)
    return _evidence(plan, cluster, listener, callers, saboteur, left, began)


def _evidence(
    plan: Plan,
    cluster: Cluster,
    listener: Listener,
    callers: Callers,
    saboteur: Saboteur,
    left: list[str],
    began: float,
) -> Evidence:
    calls = cluster.calls()
    assert calls is not None, "the provider does not answer"
    lives = [life for slot in cluster.slots for life in slot.lives]
    return Evidence(
        accepted=callers.accepted,
        refused=callers.refused,
        unanswered=callers.unanswered,
        statuses=callers.statuses,
        calls=[Call(**call) for call in calls],  # type: ignore[arg-type]
        faults=saboteur.done,
        announced=listener.heard,
        ready_at={life.name: life.ready_at for life in lives},
        lease_seconds=plan.lease_seconds,
        leftovers=left,
        stored=stored_tokens(cluster.store),
        stubborn=list(saboteur.stubborn),
        harness_failures=[repr(failure) for failure in saboteur.failures],
        seconds=time.monotonic() - began,
    )


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
