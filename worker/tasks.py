"""The Celery tasks: shells over one id."""

from celery import Celery

from common.queue import DELIVER_WEBHOOK, RUN_RESPONSE
from common.webhooks.delivery import WebhookDelivery
from common.webhooks.dispatch import Dispatcher
from worker.runner import JobRunner


def register_tasks(
    app: Celery, runner: JobRunner, dispatcher: Dispatcher, delivery: WebhookDelivery
) -> None:
    """Tell the Celery app what to do with a message of each name."""

    @app.task(name=RUN_RESPONSE)  # type: ignore[untyped-decorator]
    def run_response(job_id: str) -> None:
        runner.run(job_id)
        dispatcher.ended(job_id)

    @app.task(name=DELIVER_WEBHOOK)  # type: ignore[untyped-decorator]
    def deliver_webhook(job_id: str) -> None:
        delivery.run(job_id)
