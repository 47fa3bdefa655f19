"""Celery's broker: where it is, and how Celery is set up for it."""

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from common.errors import ServiceUnavailable
from common.queue import RUN, Waiting, Work
from common.settings import Settings
from common.store.connection import (
    SENTINEL,
    SENTINEL_PORT,
    database_of,
    hosts_of,
    master_of,
    sentinel_options,
)
from common.store.keys import CALLED_QUEUE, JOBS_QUEUE, WEBHOOKS_QUEUE

if TYPE_CHECKING:
    from celery import Celery
    from kombu.entity import Queue

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_SECONDS = 5.0

# A publish on a frozen server would hang for more than 40 s with the defaults.
REDIS_TRANSPORT_OPTIONS = {
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "max_connections": 64,
    "visibility_timeout": 3600,
}
# A message counts as sent when the broker says that it has it.
AMQP_TRANSPORT_OPTIONS = {
    "confirm_publish": True,
    "confirm_timeout": PUBLISH_TIMEOUT_SECONDS,
    "connect_timeout": PUBLISH_TIMEOUT_SECONDS,
}


def create_celery(settings: Settings) -> "Celery":
    """The Celery app of the workers, and of fronts whose broker is not the store."""
    from celery import Celery  # heavy, and a front with the embedded default does without it

    app = Celery("muninn", set_as_current=False)
    app.conf.update(_broker_settings(settings.effective_broker_url), **_worker_settings(settings))
    return app


def _broker_settings(url: str) -> dict[str, Any]:
    if url.startswith("amqp"):
        return {
            "broker_url": url,
            "broker_transport_options": AMQP_TRANSPORT_OPTIONS,
            "task_default_queue_type": "quorum",
            "task_create_missing_queue_type": "quorum",
            "worker_detect_quorum_queues": True,
        }
    if url.startswith(SENTINEL):
        options = {
            **REDIS_TRANSPORT_OPTIONS,
            "master_name": master_of(url),
            "sentinel_kwargs": sentinel_options(),
        }
        return {
            "broker_url": _sentinel_url(url),
            "broker_transport_options": options,
            "task_queues": _forgetful_queues(),
        }
    if url.startswith("unix://"):
        url = _socket_url(url)
    if url.startswith("rediss://"):
        url = _verifying_url(url)
    return {
        "broker_url": url,
        "broker_transport_options": REDIS_TRANSPORT_OPTIONS,
        "task_queues": _forgetful_queues(),
    }


def _sentinel_url(url: str) -> str:
    """The URL as kombu writes it: one for each sentinel."""
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    hosts = hosts_of(url, SENTINEL_PORT)
    number = database_of(url)
    return ";".join(f"sentinel://{login}{at}{host}:{port}/{number}" for host, port in hosts)


def _socket_url(url: str) -> str:
    """The URL of a Unix socket as kombu writes it."""
    parts = urlsplit(url)
    number = parse_qs(parts.query).get("db", ["0"])[0]
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+socket://{login}{parts.path}?virtual_host={number}"


def _verifying_url(url: str) -> str:
    """The URL with the check of certificates in words: kombu does without where it says nothing."""
    parts = urlsplit(url)
    if "ssl_cert_reqs" in parse_qs(parts.query):
        return url
    query = "&ssl_cert_reqs=required" if parts.query else "?ssl_cert_reqs=required"
    return url + query


def _worker_settings(settings: Settings) -> dict[str, Any]:
    return {
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        # Or a worker ends when its Redis becomes a replica, or is full: no connection is lost then.
        "broker_channel_error_retry": True,
        "task_default_queue": JOBS_QUEUE,
        # The record is the truth and the lease brings lost jobs back. A late ack would run a long
        # job again after the visibility timeout, while it is still running.
        "task_acks_late": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # One worker must not hoard jobs that another could run at once.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": not settings.effective_broker_url.startswith("amqp"),
        # Remote control, threads and a restart of Redis do not go together in this version.
        "worker_enable_remote_control": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_concurrency": settings.worker_concurrency,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _forgetful_queues() -> "list[Queue]":
    """The queues, made so that Redis forgets a message when it gives it to a worker: to keep it
    until it is acknowledged costs a fifth of a worker's time. See ``worker.in_hand``."""
    from kombu.entity import Queue

    names = (JOBS_QUEUE, CALLED_QUEUE, WEBHOOKS_QUEUE)
    return [Queue(name, routing_key=name, no_ack=True) for name in names]  # type: ignore[no-untyped-call]


class BrokerQueue:
    """The queue of a broker that is not the store: Celery sends, after the record was written.

    A job whose message did not get through, or was lost, is found by the janitor.
    """

    def __init__(self, celery: "Celery", work: Work = RUN) -> None:
        self._celery = celery
        self._work = work

    def message(self, job_id: str) -> bytes:
        return b""

    def send(self, job_id: str) -> None:
        try:
            self._celery.send_task(
                self._work.task,
                args=[job_id],
                queue=self._work.queue,
                task_id=job_id,
                argsrepr="",
                # Once more and at once: a pooled connection may have died with the broker.
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
                ignore_result=True,
            )
        except Exception as error:  # kombu lets some of its transports' own ones through
            log.warning("message not sent: error=%s", type(error).__name__)
            raise ServiceUnavailable(
                "The job queue cannot be reached.", retry_after_seconds=2.0
            ) from error

    def oldest_waiting(self) -> Waiting:
        """The broker tells how many wait, not which."""
        from kombu.exceptions import OperationalError

        try:
            with self._celery.connection_for_read() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
                try:
                    channel = connection.channel()
                    declared = channel.queue_declare(self._work.queue, passive=True)
                except connection.channel_errors:
                    return Waiting(is_empty=True)  # a Redis has no empty lists
                return Waiting(is_empty=declared.message_count == 0)
        except (OperationalError, OSError) as error:
            raise ServiceUnavailable("The job queue cannot be reached.") from error
