"""The Celery tasks: shells over one id."""

from celery import Celery

from common.queue import RUN_RESPONSE
from worker.runner import JobRunner


def register_tasks(app: Celery, runner: JobRunner) -> None:
    """Tell the Celery app what to do with a message of each name."""

    @app.task(name=RUN_RESPONSE)  # type: ignore[untyped-decorator]
    def run_response(job_id: str) -> None:
        runner.run(job_id)
