"""Submits that were refused although the store may have taken them."""

import threading
import uuid

import pytest

from common.errors import ServiceUnavailable
from common.jobs import NewJob
from common.store.discards import Discards
from common.store.job_store import JobStore
from tests.support.waiting import wait_until


def new_job(submission: str) -> NewJob:
    return NewJob(
        id=str(uuid.UUID(int=1)),
        owner="",
        request=b"{}",
        options=b"{}",
        shape=b"{}",
        ttl_seconds=60,
        created_at_ms=1,
        fingerprint="f",
        submission=submission,
    )


class AwayAtFirst:
    """A store that cannot be reached until it is told to come back."""

    def __init__(self) -> None:
        self.is_back = threading.Event()
        self.done: list[tuple[str, str]] = []

    def discard(self, job_id: str, submission: str) -> None:
        if not self.is_back.is_set():
            raise ServiceUnavailable("away")
        self.done.append((job_id, submission))


def test_a_discard_waits_until_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.store.discards.RETRY_SECONDS", 0.01)
    store = AwayAtFirst()
    discards = Discards(store.discard)
    discards.add("job 1", "a")
    discards.add("job 2", "b")
    assert store.done == []
    store.is_back.set()
    wait_until(lambda: store.done == [("job 1", "a"), ("job 2", "b")], "both are taken back", 5)
    discards.add("job 3", "c")
    assert store.done[-1] == ("job 3", "c")


def test_a_job_that_a_repeated_submit_was_answered_with_is_not_taken_back(store: JobStore) -> None:
    refused, repeated = new_job("first"), new_job("second")
    store.create(refused)
    assert not store.create(repeated)
    store.discard(refused)
    store.discard(repeated)
    assert store.get(refused.id) is not None


def test_a_discard_that_fails_of_itself_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.store.discards.RETRY_SECONDS", 0.01)
    done: list[str] = []

    def discard(job_id: str, submission: str) -> None:
        if job_id == "broken" and "good" not in done:
            raise ValueError("a bug")
        done.append(job_id)

    discards = Discards(discard)
    discards.later("broken", "a")
    discards.later("good", "b")
    wait_until(lambda: done == ["good", "broken"], "both are taken back", 5)
