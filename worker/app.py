"""The worker process: services, threads and Celery put together."""

import logging
from dataclasses import dataclass

from celery import Celery, signals

from common.bootstrap import Services, build_services
from common.broker import create_celery
from common.settings import Settings
from common.store.keys import JOBS_QUEUE, WEBHOOKS_QUEUE
from common.store.maintenance import JobMaintenance
from common.webhooks.backoff import Backoff
from common.webhooks.delivery import WebhookDelivery
from common.webhooks.sender import Sender
from worker.calling import JobCaller
from worker.event_writer import EventWriter
from worker.janitor import Janitor
from worker.leases import LeaseKeeper
from worker.persistence import Persistence
from worker.runner import JobRunner
from worker.shutdown import Drain
from worker.tasks import register_tasks
from worker.wakeup import wake_hub_after_each_task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    """Everything one worker process is made of."""

    services: Services
    celery: Celery
    leases: LeaseKeeper
    writer: EventWriter
    janitor: Janitor
    runner: JobRunner
    drain: Drain


def create_worker(settings: Settings) -> Worker:
    """Build a worker; nothing runs yet."""
    services = build_services(settings)
    leases = LeaseKeeper(services.store)
    persistence = Persistence()
    writer = EventWriter(services.events, persistence)
    caller = JobCaller(services.store, services.inference, writer, persistence)
    runner = JobRunner(services.store, services.queue, caller, leases, persistence, settings)
    celery = create_celery(settings)
    register_tasks(celery, runner, services.dispatcher, _delivery(services))
    drain = Drain(runner, leases, persistence, settings.shutdown_grace_seconds)
    maintenance = JobMaintenance(services.store, services.queue.message)
    janitor = Janitor(maintenance, services.queue, services.dispatcher, settings)
    return Worker(services, celery, leases, writer, janitor, runner, drain)


def _delivery(services: Services) -> WebhookDelivery:
    settings = services.settings
    sender = Sender(settings.webhook_timeout_seconds, allow_private=settings.webhook_allow_private)
    backoff = Backoff(settings.webhook_max_attempts, settings.webhook_first_delay_seconds)
    return WebhookDelivery(services.store, services.deliveries, services.endpoints, sender, backoff)


def run_worker(worker: Worker) -> None:
    """Take jobs until a signal says stop."""
    _quiet_celery()
    signals.worker_shutting_down.connect(worker.drain.on_signal, weak=False)
    wake_hub_after_each_task()
    worker.leases.start()
    worker.writer.start()
    worker.janitor.start()
    try:
        worker.celery.worker_main(_arguments(worker.services.settings))
    finally:
        worker.janitor.stop()
        worker.leases.stop()
        worker.writer.stop()


def _arguments(settings: Settings) -> list[str]:
    return [
        "--quiet",  # no banner
        "worker",
        "--pool=threads",
        f"--concurrency={settings.worker_concurrency}",
        f"--queues={JOBS_QUEUE},{WEBHOOKS_QUEUE}",
        f"--loglevel={settings.log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]


def _quiet_celery() -> None:
    """Celery's two lines a job say what ours says better."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
