"""Batches: many requests submitted, watched and cancelled as one."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Int, ListOf, Open, Text, doc
from common.schemas.envelope import Envelope
from common.schemas.request import CreateResponse


class BatchRequest(Open):
    """One request of a batch."""

    custom_id: Text = Field(description="The caller's own name for it, once in a batch.")
    body: CreateResponse = Field(description="The request, as it would be sent alone.")


class CreateBatch(Open):
    """The requests of a new batch."""

    requests: ListOf[BatchRequest] = Field(description="The requests, 1,000 at most.")


class BatchCounts(Open):
    """How many jobs are in which status."""

    total: Int = Field(description="All of them.")
    pending: Int | None = doc("Those that wait.")
    processing: Int | None = doc("Those that run.")
    completed: Int | None = doc("Those that have an answer.")
    failed: Int | None = doc("Those that failed.")
    cancelled: Int | None = doc("Those that were cancelled.")
    expired: Int | None = doc("Those that ended and are no longer stored.")


class Batch(Open):
    """A batch as a whole."""

    id: Text = Field(description="The batch's id.")
    object: Literal["batch"] = Field(description="Always `batch`.")
    status: Text = Field(description="Where it stands.", examples=["processing", "completed"])
    created_at: Text = Field(description="When it was submitted.")
    completed_at: Text | None = doc("When its last job ended.")
    counts: BatchCounts = Field(description="How many of its jobs are in which status.")


class BatchItem(Envelope):
    """A job of a batch; one that is no longer stored has its ids and the status `expired`."""

    custom_id: Text = Field(description="The caller's own name for it.")
    created_at: Text | None = doc("When it was submitted.")  # type: ignore[assignment]


class BatchItems(Open):
    """Some of a batch's jobs, in the order they were given."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: ListOf[BatchItem] = Field(description="The jobs, without their answers.")
    has_more: bool = Field(description="Whether there are more.")
