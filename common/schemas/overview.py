"""What goes on at a glance, and what was used: for those who run the service."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Int, ListOf, Number, Open, Text, doc


class OverviewJobs(Open):
    """The jobs that have not ended."""

    queued: Int = Field(description="Those that wait for a worker, their turn, or a place.")
    waiting: Int = Field(
        description="Those that shall be tried again later, as their provider has failed."
    )
    in_progress: Int = Field(description="Those that run.")


class OverviewWorker(Open):
    """A worker process that has spoken within the last 15 s."""

    id: Text = Field(description="Its name: host, process and a random part.")
    host: Text = Field(description="The host it runs on.")
    pid: Int = Field(description="Its process id there.")
    version: Text = Field(description="The version it runs.", examples=["0.1.0"])
    slots: Int = Field(description="How many jobs it runs at once.")
    running: Int = Field(description="How many it ran when it spoke.")
    started_at: Text = Field(description="When it was started, by its own clock.")
    seen_at: Text = Field(description="When it spoke last.")


class OverviewMinute(Open):
    """What happened within one minute."""

    minute: Text = Field(description="When it began.", examples=["2026-01-31T12:00:00.000Z"])
    submitted: Int = Field(description="Jobs submitted.")
    completed: Int = Field(description="Jobs completed.")
    failed: Int = Field(description="Jobs failed.")
    cancelled: Int = Field(description="Jobs cancelled.")


class OverviewStore(Open):
    """The memory of the job store's server."""

    used_memory_bytes: Int | None = Field(description="What it uses, where it tells.")
    max_memory_bytes: Int | None = Field(description="What it may use, if that is bounded.")


class Overview(Open):
    """Queue, workers and the last hour."""

    object: Literal["overview"] = Field(description="Always `overview`.")
    time: Text = Field(description="The store's time.", examples=["2026-01-31T12:00:00.000Z"])
    jobs: OverviewJobs | None = doc("The jobs that have not ended.")
    oldest_queued_seconds: Number | None = Field(
        description="How long the first of those waits that could run; null when there is none."
    )
    workers: ListOf[OverviewWorker] = Field(description="The workers that are there.")
    history: ListOf[OverviewMinute] = Field(
        description="The last 60 minutes, the oldest first and the one that is not over last."
    )
    store: OverviewStore | None = doc("The memory of the job store's server.")


class UsageOfDay(Open):
    """What one key has used on one day (UTC)."""

    date: Text = Field(description="The day.", examples=["2026-01-31"])
    key: Text | None = Field(
        description="The key's name, its id when it has no name any more; null for calls "
        "without a key."
    )
    requests: Int = Field(description="Calls answered inline or as a stream.")
    jobs: Int = Field(description="Jobs that have ended.")
    input_tokens: Int = Field(description="Tokens read, by both.")
    output_tokens: Int = Field(description="Tokens written, by both.")
    total_cost: Number = Field(description="US dollars, as far as prices are known.")


class UsagePage(Open):
    """What was used, the oldest day first; days without any are left out."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: ListOf[UsageOfDay] = Field(description="A row for each day and key.")
