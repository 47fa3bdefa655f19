"""What the routes for operators answer."""

from pydantic import Field

from common.schemas.base import Open, Text, doc


class Health(Open):
    """Whether the service is well."""

    status: Text = Field(description="One word.", examples=["ok", "unavailable"])
    redis: Text | None = doc(
        "Whether the job store answers; `/readyz` alone says so.", "ok", "down"
    )


class Version(Open):
    """What is running."""

    version: Text = Field(description="The service's version.", examples=["0.1.0"])
    name: Text | None = doc("The service's name.", "muninn")
