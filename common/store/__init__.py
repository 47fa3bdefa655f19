"""The job store: Redis holds every job's record, and every change of it is one atomic script."""

from common.settings import Settings
from common.store.connection import connect, connect_readers, partitions_of
from common.store.job_events import JobEvents
from common.store.job_store import JobStore, StoreLimits
from common.store.keys import JOBS_QUEUE, Keys

__all__ = ["JobStore", "open_events", "open_store"]


def open_store(settings: Settings) -> JobStore:
    """The store that the settings name; nothing is connected until it is used."""
    limits = StoreLimits(
        lease_ms=int(settings.lease_seconds * 1000),
        max_queued_jobs=settings.max_queued_jobs,
        keep_input_bytes=settings.keep_input_bytes,
        max_memory_bytes=settings.max_store_bytes,
        longest_life_ms=_longest_life_ms(settings),
        queue_deadline_ms=int(settings.queue_deadline_seconds * 1000),
        run_deadline_ms=int(settings.run_deadline_seconds * 1000),
    )
    shares_server = settings.effective_broker_url == settings.redis_url
    keys = Keys(partitions_of(settings.redis_url), JOBS_QUEUE if shares_server else None)
    return JobStore(connect(settings.redis_url), keys, limits)


def _longest_life_ms(settings: Settings) -> int:
    """How long after its submit a job can still be there."""
    seconds = (
        settings.queue_deadline_seconds
        + settings.run_deadline_seconds
        + settings.max_result_ttl_seconds
    )
    return int(seconds * 1000)


def open_events(store: JobStore, settings: Settings) -> JobEvents:
    """The events of the store's jobs. Readers block, each on a connection of its own."""
    return JobEvents(
        store,
        connect_readers(settings.redis_url, settings.front_threads),
        cap=settings.max_job_events,
        alias_seconds=int(settings.run_deadline_seconds) + settings.max_result_ttl_seconds,
    )
