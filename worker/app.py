"""The worker process: services, threads and Celery put together."""

from dataclasses import dataclass

from celery import Celery, signals

from common.bootstrap import Services, build_services
from common.broker import create_celery
from common.settings import Settings
from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, WEBHOOKS_QUEUE
from common.store.maintenance import JobMaintenance
from common.tracing import stop_tracing, traced_sender
from common.webhooks.backoff import Backoff
from common.webhooks.delivery import WebhookDelivery
from common.webhooks.sender import Sender
from worker.calling import JobCaller
from worker.celery_logging import join_celery_to_our_log
from worker.event_writer import EventWriter
from worker.in_hand import InHand
from worker.janitor import Janitor
from worker.leases import LeaseKeeper
from worker.metrics_server import MetricsServer
from worker.persistence import Persistence
from worker.presence import Attendance
from worker.runner import JobRunner
from worker.shutdown import Drain
from worker.tasks import register_tasks
from worker.wakeup import wake_hub_after_each_task


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
    in_hand: InHand
    attendance: Attendance
    metrics_server: MetricsServer


def create_worker(settings: Settings) -> Worker:
    """Build a worker; nothing runs yet."""
    services = build_services(settings)
    leases = LeaseKeeper(services.store)
    persistence = Persistence()
    writer = EventWriter(services.events, persistence)
    caller = JobCaller(services.store, services.inference, writer, persistence, services.vault)
    runner = JobRunner(
        services.store, services.queue, caller, leases, persistence, settings, services.metrics
    )
    celery = create_celery(settings)
    in_hand = InHand()
    delivery = _delivery(services)
    register_tasks(celery, runner, in_hand, services.webhooks.dispatcher, delivery, services.store)
    drain = Drain(runner, leases, persistence, settings.shutdown_grace_seconds)
    return Worker(
        services=services,
        celery=celery,
        leases=leases,
        writer=writer,
        janitor=_janitor(services),
        runner=runner,
        drain=drain,
        in_hand=in_hand,
        attendance=Attendance(services.presence, settings.worker_concurrency, leases.held_count),
        metrics_server=MetricsServer(services.metrics, settings),
    )


def _janitor(services: Services) -> Janitor:
    return Janitor(
        JobMaintenance(services.store, services.queue.message),
        services.queue,
        services.webhooks.dispatcher,
        services.settings,
        metrics=services.metrics.jobs,
    )


def _delivery(services: Services) -> WebhookDelivery:
    settings = services.settings
    sender = traced_sender(
        Sender(settings.webhook_timeout_seconds, allow_private=settings.webhook_allow_private)
    )
    backoff = Backoff(settings.webhook_max_attempts, settings.webhook_first_delay_seconds)
    return WebhookDelivery(
        services.store,
        services.webhooks.deliveries,
        services.webhooks.endpoints,
        sender,
        backoff,
        services.metrics.jobs,
    )


def run_worker(worker: Worker) -> None:
    """Take jobs until a signal says stop."""
    join_celery_to_our_log()
    signals.worker_shutting_down.connect(worker.drain.on_signal, weak=False)
    wake_hub_after_each_task()
    worker.in_hand.listen()
    worker.leases.start()
    worker.writer.start()
    worker.janitor.start()
    worker.attendance.start()
    worker.services.metrics.jobs.working(worker.services.settings.worker_concurrency)
    worker.metrics_server.start()
    try:
        worker.celery.worker_main(_arguments(worker.services.settings))
    finally:
        worker.runner.pass_on(worker.in_hand.left())
        worker.metrics_server.stop()
        worker.attendance.stop()
        worker.janitor.stop()
        worker.leases.stop()
        worker.writer.stop()
        stop_tracing()


def _queues(settings: Settings) -> list[str]:
    """The queues to take from, each in turn. Only the store's own scripts call jobs."""
    shares_server = settings.effective_broker_url == settings.redis_url
    return [JOBS_QUEUE, *[CALLED_QUEUE] * shares_server, WEBHOOKS_QUEUE]


def _arguments(settings: Settings) -> list[str]:
    return [
        "--quiet",  # no banner
        "worker",
        "--pool=threads",
        f"--concurrency={settings.worker_concurrency}",
        f"--queues={','.join(_queues(settings))}",
        f"--loglevel={settings.log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
