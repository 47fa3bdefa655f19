"""What the routes for operators answer."""

from pydantic import Field

from common.schemas.base import Open, Text, doc


class Dependency(Open):
    """Whether something that jobs need can be reached."""

    status: Text = Field(description="One word.", examples=["ok", "down"])
    error: Text | None = doc("Why it is down.", "The job store cannot be reached.")


class Dependencies(Open):
    """What jobs need."""

    store: Dependency | None = doc("The Redis that jobs are kept in.")
    broker: Dependency | None = doc("Celery's broker, where that is another server.")


class Health(Open):
    """Whether the service is well."""

    status: Text = Field(description="One word.", examples=["ok", "unavailable"])
    redis: Text | None = doc(
        "Whether the job store answers; `/readyz` alone says so.", "ok", "down"
    )
    checks: Dependencies | None = doc("What jobs need; `/readyz` alone has it.")


class Version(Open):
    """What is running."""

    version: Text = Field(description="The service's version.", examples=["0.1.0"])
    name: Text | None = doc("The service's name.", "muninn")
