"""Callers: threads that submit over HTTP, and threads that poll and remember what they saw."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.chaos.keys import ADMIN, headers_of
from tests.chaos.plan import JobSpec

SUBMITTERS = 6
WATCHERS = 2
ENDED = frozenset({"completed", "failed", "cancelled", "incomplete"})


@dataclass(slots=True)
class Accepted:
    """A job that was answered 200, and its end as it was first seen."""

    token: str
    id: str
    spec: JobSpec
    answer: dict[str, Any] | None = None
    changes: list[str] = field(default_factory=list)


class Callers:
    """All callers together, and what they were told."""

    def __init__(self, root: str) -> None:
        self._url = f"{root}/openai/v1/responses"
        self.accepted: list[Accepted] = []
        self.refused: set[str] = set()
        self.unanswered: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watching: list[threading.Thread] = []

    def submit_all(self, specs: list[JobSpec], began: float) -> list[threading.Thread]:
        """Submit each job at its time, until it is accepted; each try is a job of its own."""
        threads = [
            threading.Thread(target=self._submit_some, args=[specs[n::SUBMITTERS], began])
            for n in range(SUBMITTERS)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _submit_some(self, specs: list[JobSpec], began: float) -> None:
        with requests.Session() as session:
            for spec in specs:
                time.sleep(max(0.0, began + spec.at_seconds - time.monotonic()))
                tries = 0
                while not self._over.is_set() and not self._submit(session, spec, tries):
                    tries += 1
                    time.sleep(0.2)

    def _submit(self, session: requests.Session, spec: JobSpec, tries: int) -> bool:
        token = f"{spec.token}.{tries}"
        asked = json.dumps({"job": token, "seconds": spec.hold_seconds, "how": spec.how})
        try:
            answer = session.post(
                self._url,
                json={"model": "chaos/m", "input": asked},
                headers={"x-bf-async": "true", **headers_of(spec.key)},
                timeout=15,
            )
        except requests.RequestException:
            with self._lock:
                self.unanswered.add(token)
            return False
        with self._lock:
            self.statuses[answer.status_code] += 1
            if answer.status_code != 200:
                self.refused.add(token)
                return False
            self.accepted.append(Accepted(token, answer.json()["id"], spec))
        return True

    def watch(self) -> None:
        """Poll all accepted jobs again and again, ended ones too, until ``stop``."""
        for number in range(WATCHERS):
            thread = threading.Thread(target=self._watch, args=[number])
            thread.start()
            self._watching.append(thread)

    def stop(self) -> None:
        self._over.set()
        for thread in self._watching:
            thread.join()

    def _watch(self, number: int) -> None:
        with requests.Session() as session:
            while not self._over.is_set():
                for job in self._mine(number):
                    self.look(session, job)
                    if self._over.wait(0.01):
                        return
                self._over.wait(0.2)

    def _mine(self, number: int) -> list[Accepted]:
        """Every job that has not ended, and some that have."""
        with self._lock:
            mine = self.accepted[number::WATCHERS]
        step = len(mine) // 20 + 1
        pick = int(time.monotonic() * 10) % step
        return [job for n, job in enumerate(mine) if job.answer is None or n % step == pick]

    def look(self, session: requests.Session, job: Accepted) -> None:
        """Poll once. What has ended must be there, and be the same, ever after."""
        try:
            reply = session.get(f"{self._url}/{job.id}", headers=headers_of(ADMIN), timeout=15)
        except requests.RequestException:
            return
        with self._lock:
            self.statuses[reply.status_code] += 1
        if reply.status_code == 200:
            self._compare(job, reply.json())
        elif reply.status_code != 503:
            job.changes.append(f"the poll answered {reply.status_code}")

    def _compare(self, job: Accepted, answer: dict[str, Any]) -> None:
        if job.answer is None:
            job.answer = answer if answer["status"] in ENDED else None
        elif job.answer != answer:
            job.changes.append(f"{job.answer['status']} became {answer['status']}")

    @property
    def waiting(self) -> int:
        """How many accepted jobs were not yet seen to have ended."""
        with self._lock:
            return sum(job.answer is None for job in self.accepted)
