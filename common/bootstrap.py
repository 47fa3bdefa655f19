"""The composition root: every real thing is built here, and any of them can be replaced."""

from dataclasses import dataclass

from common.batches import BatchSubmitter
from common.inference import Inference
from common.providers.registry import Registry, build_registry
from common.queue import JobQueue, StoreQueue
from common.settings import Settings
from common.store import JobStore, open_events, open_store
from common.store.batches import BatchStore
from common.store.endings import Endings
from common.store.job_events import JobEvents
from common.submission import Submitter


@dataclass(frozen=True)
class Services:
    """What the doors work with."""

    settings: Settings
    registry: Registry
    store: JobStore
    endings: Endings
    events: JobEvents
    queue: JobQueue
    inference: Inference
    submitter: Submitter
    batches: BatchStore
    batch_submitter: BatchSubmitter


def build_services(settings: Settings, *, store: JobStore | None = None) -> Services:
    """Build everything from the settings. Nothing is connected until it is used."""
    registry = build_registry(settings)
    inference = Inference(registry)
    store = store or open_store(settings)
    queue = _queue(settings, store)
    submitter = Submitter(store, queue, inference)
    batches = BatchStore(store)
    return Services(
        settings=settings,
        registry=registry,
        store=store,
        endings=Endings(store.client),
        events=open_events(store, settings),
        queue=queue,
        inference=inference,
        submitter=submitter,
        batches=batches,
        batch_submitter=BatchSubmitter(batches, submitter),
    )


def _queue(settings: Settings, store: JobStore) -> JobQueue:
    if settings.effective_broker_url == settings.redis_url:
        return StoreQueue(store.client)
    from common.broker import BrokerQueue, create_celery

    return BrokerQueue(create_celery(settings))
