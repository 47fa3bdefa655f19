"""The composition root: every real thing is built here, and any of them can be replaced."""

from dataclasses import dataclass

from common.batches import BatchSubmitter
from common.caller_keys import KeyVault, vault_of
from common.inference import Inference
from common.key_rows import keys_of_rows
from common.keyring import Keyring
from common.metrics import Metrics
from common.metrics.counted_calls import counted_calls
from common.metrics.store_state import StoreWatch, watch_store
from common.places import Places, places_among
from common.providers.registry import Registry, build_registry
from common.queue import DELIVER, RUN, JobQueue, StoreQueue, Work
from common.readiness import Readiness, readiness_of
from common.setting_types import is_loopback
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
class Webhooks:
    """Who may be told, what is to be told, and who sees to it that it is."""

    endpoints: Endpoints
    deliveries: Deliveries
    dispatcher: Dispatcher


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
    webhooks: Webhooks
    keyring: Keyring
    vault: KeyVault
    request_limits: RequestLimits
    metrics: Metrics
    store_watch: StoreWatch
    readiness: Readiness
    presence: Presence
    usage: UsageCounter
    places: Places


def build_services(settings: Settings, *, store: JobStore | None = None) -> Services:
    """Build everything from the settings. Nothing is connected until it is used."""
    metrics = Metrics(settings.metrics_dir)
    registry = build_registry(settings)
    registry.observe(counted_calls(metrics.providers))
    trace_providers(registry)
    inference = Inference(registry)
    store = store or open_store(settings)
    store.on_cancelled = metrics.jobs.cancelled
    queue = _queue(settings, store)
    vault = vault_of(settings)
    submitter = Submitter(store, queue, inference, vault, metrics.jobs.submitted)
    batches = BatchStore(store)
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
        webhooks=_webhooks(settings, store),
        keyring=_keyring(settings, store),
        vault=vault,
        request_limits=RequestLimits(store.client),
        metrics=metrics,
        store_watch=watch_store(store, presence),
        readiness=readiness_of(store, queue),
        presence=presence,
        usage=UsageCounter(UsageStore(store)),
        places=places_among(settings.front_threads),
    )


def _webhooks(settings: Settings, store: JobStore) -> Webhooks:
    queue = _queue(settings, store, DELIVER)
    deliveries = Deliveries(store, queue.message)
    dispatcher = Dispatcher(deliveries, queue, is_used=bool(settings.webhooks))
    return Webhooks(Endpoints(settings.webhooks), deliveries, dispatcher)


def _keyring(settings: Settings, store: JobStore) -> Keyring:
    keys = KeyStore(store.client, store.scripts)
    is_exposed = not (settings.allowed_hosts or is_loopback(settings.host))
    rows = keys_of_rows(settings.keys)
    return Keyring(keys, rows, settings.require_keys, is_exposed=is_exposed)


def _queue(settings: Settings, store: JobStore, work: Work = RUN) -> JobQueue:
    if settings.effective_broker_url == settings.redis_url:
        return StoreQueue(store.client, work)
    from common.broker import BrokerQueue, create_celery

    return BrokerQueue(create_celery(settings), work)
