"""The composition root: every real thing is built here, and any of them can be replaced."""

from dataclasses import dataclass

from common.batches import BatchSubmitter
from common.caller_keys import KeyVault, vault_of
from common.inference import Inference
from common.key_rows import keys_of_rows
from common.keyring import Keyring
from common.metrics import Metrics
from common.metrics.measured_providers import measure_providers
from common.metrics.store_state import StoreWatch, watch_store
from common.providers.registry import Registry, build_registry
from common.queue import DELIVER, RUN, JobQueue, StoreQueue, Work
from common.readiness import Readiness, readiness_of
from common.settings import Settings
from common.store import JobStore, open_events, open_store
from common.store.batches import BatchStore
from common.store.deliveries import Deliveries
from common.store.endings import Endings
from common.store.job_events import JobEvents
from common.store.presence import Presence
from common.store.rate_limits import RequestLimits
from common.store.usage import UsageStore
from common.store.virtual_keys import KeyStore
from common.submission import Submitter
from common.tracing import trace_providers
from common.usage_counter import UsageCounter
from common.webhooks.dispatch import Dispatcher
from common.webhooks.endpoints import Endpoints


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
    endpoints: Endpoints
    deliveries: Deliveries
    dispatcher: Dispatcher
    keyring: Keyring
    vault: KeyVault
    request_limits: RequestLimits
    metrics: Metrics
    store_watch: StoreWatch
    readiness: Readiness
    presence: Presence
    usage: UsageCounter


def build_services(settings: Settings, *, store: JobStore | None = None) -> Services:
    """Build everything from the settings. Nothing is connected until it is used."""
    metrics = Metrics(settings.metrics_dir)
    registry = build_registry(settings)
    measure_providers(registry, metrics.providers)
    trace_providers(registry)
    inference = Inference(registry)
    store = store or open_store(settings)
    store.on_cancelled = metrics.jobs.cancelled
    queue = _queue(settings, store)
    vault = vault_of(settings)
    submitter = Submitter(store, queue, inference, vault, metrics.jobs.submitted)
    batches = BatchStore(store)
    delivery_queue = _queue(settings, store, DELIVER)
    deliveries = Deliveries(store, delivery_queue.message)
    presence = Presence(store)
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
        endpoints=Endpoints(settings.webhooks),
        deliveries=deliveries,
        dispatcher=Dispatcher(deliveries, delivery_queue, is_used=bool(settings.webhooks)),
        keyring=_keyring(settings, store),
        vault=vault,
        request_limits=RequestLimits(store.client),
        metrics=metrics,
        store_watch=watch_store(store, presence),
        readiness=readiness_of(store, queue),
        presence=presence,
        usage=UsageCounter(UsageStore(store)),
    )


def _keyring(settings: Settings, store: JobStore) -> Keyring:
    keys = KeyStore(store.client, store.scripts)
    return Keyring(keys, keys_of_rows(settings.keys), settings.require_keys)


def _queue(settings: Settings, store: JobStore, work: Work = RUN) -> JobQueue:
    if settings.effective_broker_url == settings.redis_url:
        return StoreQueue(store.client, work)
    from common.broker import BrokerQueue, create_celery

    return BrokerQueue(create_celery(settings), work)
