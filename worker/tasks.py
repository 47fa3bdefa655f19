"""The Celery tasks: shells over one id."""

from celery import Celery

from common.log_context import bound
from common.queue import DELIVER_WEBHOOK, RUN_RESPONSE
from common.store import JobStore
from common.webhooks.delivery import WebhookDelivery
from common.webhooks.dispatch import Dispatcher
from worker.in_hand import InHand
from worker.job_context import delivery_of
from worker.runner import JobRunner


def register_tasks(
    app: Celery,
    runner: JobRunner,
    in_hand: InHand,
    dispatcher: Dispatcher,
    delivery: WebhookDelivery,
    store: JobStore,
) -> None:
    """Tell the Celery app what to do with a message of each name."""

    @app.task(name=RUN_RESPONSE)  # type: ignore[untyped-decorator]
    def run_response(job_id: str) -> None:
        in_hand.begun(job_id)
        with bound(job_id=job_id):
            runner.run(job_id)
            dispatcher.ended(job_id)

    @app.task(name=DELIVER_WEBHOOK)  # type: ignore[untyped-decorator]
    def deliver_webhook(job_id: str) -> None:
        with delivery_of(store, job_id):
            delivery.run(job_id)
