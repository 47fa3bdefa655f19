"""The gateway's own job envelope: times are RFC 3339 in UTC, with milliseconds."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Bool, Int, ListOf, Open, StringMap, Text, doc
from common.schemas.response import Response


class JobError(Open):
    """Why a job failed."""

    type: Text | None = doc("The kind of error.", "provider_error")
    code: Text | None = doc("Which error it is.", "worker_lost", "deadline_exceeded")
    message: Text | None = doc("The error in words.")
    param: Text | None = doc("The field at fault.")


class Webhook(Open):
    """How telling of the job's end goes."""

    endpoint: Text = Field(description="Whom: an endpoint's name, or a URL.")
    status: Literal["pending", "delivered", "given_up"] = Field(description="Where it stands.")
    attempts: Int = Field(description="How often it was tried.")
    last_status_code: Int | None = doc("The HTTP status that the receiver answered last.")
    last_error: Text | None = doc("Why that was no success.", "timeout", "private_address")
    next_attempt_at: Text | None = doc("When it will be tried (again).")
    delivered_at: Text | None = doc("When the receiver took it.")


class Envelope(Open):
    """A job. A submit answers its first three fields, a list all but ``result``."""

    id: Text = Field(description="The job's id.")
    status: Text = Field(
        description="Where it stands.",
        examples=["pending", "processing", "completed", "failed", "cancelled"],
    )
    created_at: Text = Field(
        description="When it was submitted.", examples=["2026-01-31T12:00:00.000Z"]
    )
    model: Text | None = doc("The model it was submitted for.", "echo/hello")
    metadata: StringMap | None = doc("What the caller attached to it.")
    attempts: Int | None = doc("How often it was started.")
    streamed: Bool | None = doc("Whether its events can be followed.")
    key: Text | None = doc(
        "Whose it is: the key's name, its id when it has no name any more; null for a job without "
        "a key. An admin's key alone sees this."
    )
    started_at: Text | None = doc("When it was started first.")
    next_attempt_at: Text | None = doc("When it will be tried again, while it waits for that.")
    completed_at: Text | None = doc("When it ended.")
    expires_at: Text | None = doc("Until when it can be read.")
    status_code: Int | None = doc("The HTTP status that the same call would have had inline.")
    result: Response | None = doc("The provider's answer.")
    error: JobError | None = doc("Why it failed.")
    webhook: Webhook | None = doc("How telling of its end goes, if it was asked for.")


class EnvelopePage(Open):
    """Some of the caller's jobs, newest first."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: ListOf[Envelope] = Field(description="The jobs, without their answers.")
    has_more: bool = Field(description="Whether there are more.")
    next_cursor: Text | None = doc("What to give as `after` to read on.")


class JobRetry(Open):
    """A new job, made from the request of one that has ended."""

    id: Text = Field(description="The new job's id.")
    status: Text = Field(description="Always `pending`.", examples=["pending"])
    created_at: Text = Field(description="When it was submitted.")
    retry_of: Text = Field(description="The id of the job before.")


class DeletedJob(Open):
    """A job's record is gone."""

    id: Text = Field(description="The id that was asked for.")
    deleted: Literal[True] = Field(description="Always true.")
