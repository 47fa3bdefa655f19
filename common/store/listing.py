"""Lists the jobs of an owner, or of all, newest first, page by page."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from common.errors import InvalidValue
from common.jobs import JobRecord
from common.store.job_store import JobStore
from common.store.records import SUMMARY_FIELDS, summary_of
from common.store.scripts import store_errors

BATCH = 100
# How many jobs one call looks at for a page; a filter that matches few of many gives a short page
# and a cursor to go on from.
LOOKS_AT = 2_000

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, without their results, and the cursor of the next page if there may be one."""

    jobs: list[JobRecord]
    next_cursor: str | None


def list_jobs(
    store: JobStore,
    owner: str | None,
    *,
    limit: int,
    cursor: str | None = None,
    matches: Callable[[JobRecord], bool] = lambda job: True,
) -> Page:
    """The owner's jobs after the cursor that match, or those of all when there is no owner.

    Raises InvalidValue for a bad cursor.
    """
    found: list[JobRecord] = []
    last = _decode(cursor) if cursor is not None else None
    for seen, (place, job) in enumerate(_jobs_after(store, owner, last)):
        if last is not None and seen == LOOKS_AT:
            return Page(found, _encode(last))
        if job is not None and matches(job):
            if last is not None and len(found) == limit:
                return Page(found, _encode(last))
            found.append(job)
        last = place
    return Page(found, None)


def _jobs_after(
    store: JobStore, owner: str | None, place: Place | None
) -> Iterator[tuple[Place, JobRecord | None]]:
    while True:
        places = _places_after(store, owner, place)
        jobs = read_summaries(store, [job_id for _, job_id in places])
        _forget(store, owner, [p[1] for p, job in zip(places, jobs, strict=True) if job is None])
        yield from zip(places, jobs, strict=True)
        if len(places) < BATCH:
            return
        place = places[-1]


def _lists_of(store: JobStore, owner: str | None, partition: int) -> list[str]:
    """The keys of the lists that hold the jobs of an owner, or of all."""
    if owner is not None:
        return [store.keys.owned(owner, partition)]
    return [store.keys.all_owned(partition), store.keys.owned("", partition)]


def _places_after(store: JobStore, owner: str | None, place: Place | None) -> list[Place]:
    """The next places in every partition, merged."""
    highest = "+inf" if place is None else str(place[0])
    found: list[Place] = []
    with store_errors():
        for partition in range(store.keys.partitions):
            for key in _lists_of(store, owner, partition):
                found += _page_of(store, key, highest, place)
    return sorted(found, reverse=True)[:BATCH]


def _page_of(store: JobStore, key: str, highest: str, place: Place | None) -> list[Place]:
    """The next places in one partition; those that share the cursor's millisecond are read past."""
    page: list[Place] = []
    start = 0
    while len(page) < BATCH:
        raw: list[Any] = store.client.zrevrangebyscore(
            key, highest, "-inf", start=start, num=BATCH, withscores=True
        )
        entries = [(int(score), job_id.decode()) for job_id, score in raw]
        page += [entry for entry in entries if place is None or entry < place]
        start += len(entries)
        if len(entries) < BATCH:
            break
    return page[:BATCH]


def read_summaries(store: JobStore, job_ids: list[str]) -> list[JobRecord | None]:
    """The records of many jobs without their answers, in one round trip; None for the gone."""
    if not job_ids:
        return []
    with store_errors():
        pipe = store.client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hmget(store.keys.job(job_id), SUMMARY_FIELDS)
        answers = pipe.execute()
    return [summary_of(*pair) for pair in zip(job_ids, answers, strict=True)]


def _forget(store: JobStore, owner: str | None, gone: list[str]) -> None:
    """Jobs that have expired or were deleted leave the list when it is read."""
    with store_errors():
        for job_id in gone:
            for key in _lists_of(store, owner, store.keys.partition_of(job_id)):
                store.client.zrem(key, job_id)


def _encode(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}/{place[1]}".encode()).decode()


def _decode(cursor: str) -> Place:
    try:
        created_at, _, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("/")
        if not (job_id and created_at.isascii() and created_at.isdecimal()):
            raise ValueError
        return int(created_at[:15]), job_id
    except ValueError:  # a bad encoding is one as well
        raise InvalidValue("after is not a cursor of this list.", param="after") from None
