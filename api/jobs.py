"""The gateway's own job envelope, ``/v1/async/responses``: other words for the same jobs."""

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import orjson

from api.auth import Caller, identify
from api.finding import cancel_job, find_job
from api.headers import parse_headers, wait_seconds
from api.incoming import Incoming
from api.limits import limited
from api.owners import key_field, owners_asked_for
from api.paging import page_limit
from api.polling import (
    pace_headers,
    poll_headers,
    replayed_header,
    waited,
    waited_after_submit,
)
from api.reply import Reply, json_reply
from api.submitting import SubmitRequest
from api.submitting import submit as submit_job
from common.bootstrap import Services
from common.envelope import STATUS_OF_WORD, envelope, summary, timestamp
from common.errors import InvalidValue
from common.jobs import JobRecord, JobStatus
from common.schemas import parse_create_request
from common.store.listing import list_jobs

METADATA = "metadata."


def submit(services: Services, incoming: Incoming) -> Reply:
    """``POST /v1/async/responses``."""
    headers = parse_headers(incoming)
    raw = incoming.body(services.settings.max_body_bytes)
    caller = identify(services, incoming)
    request = SubmitRequest(caller, headers, raw, parse_create_request(raw))
    if request.is_streamed:
        raise InvalidValue("A job of the envelope cannot be streamed.", param="stream")
    return limited(services, caller, partial(_submitted, services, incoming, request))


def _submitted(services: Services, incoming: Incoming, request: SubmitRequest) -> Reply:
    submitted = submit_job(services, incoming, request)
    with services.places.granted(wait_seconds(incoming)) as seconds:
        record = waited_after_submit(services, submitted, seconds)
    if record is not None:
        reply = _shown(services, request.caller, record, seconds)
        return replace(reply, headers=reply.headers | replayed_header(submitted))
    created_at = timestamp(submitted.created_at_ms)
    body = {"id": submitted.job_id, "status": "pending", "created_at": created_at}
    headers = poll_headers(submitted.created_at_ms) | replayed_header(submitted)
    return json_reply(body, 202, headers)


def poll(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """``GET /v1/async/responses/{id}``: 202 while the job waits or runs."""
    asked_seconds, caller = wait_seconds(incoming), identify(services, incoming)
    record = find_job(services.store, caller, job_id)
    with services.places.granted(asked_seconds) as seconds:
        record = waited(services, record, seconds)
    return _shown(services, caller, record, seconds)


def _shown(services: Services, caller: Caller, record: JobRecord, seconds: int) -> Reply:
    """The job as a poll that has waited for so long shows it."""
    headers = pace_headers(record)
    if seconds:
        headers["preference-applied"] = f"wait={seconds}"
    shown = envelope(record) | key_field(services, caller, record)
    return json_reply(shown, 200 if record.is_ended else 202, headers)


def cancel(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """``POST /v1/async/responses/{id}/cancel``."""
    caller = identify(services, incoming)
    record = cancel_job(services.store, services.queue, caller, job_id)
    return json_reply(envelope(record) | key_field(services, caller, record))


def delete(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """``DELETE /v1/async/responses/{id}``."""
    record = find_job(services.store, identify(services, incoming), job_id)
    services.store.delete(record.id)
    return json_reply({"id": job_id, "deleted": True})


def list_page(services: Services, incoming: Incoming) -> Reply:
    """``GET /v1/async/responses``: the caller's jobs, newest first; for an admin those of all.

    ``limit``, ``after`` (the last page's ``next_cursor``), ``status`` (several with commas),
    ``model`` (``*`` fits anything), ``metadata.KEY=VALUE`` and, for an admin, ``key`` in the query.
    """
    caller, query = identify(services, incoming), incoming.query()
    owners = owners_asked_for(services, caller, query.get("key"))
    page = list_jobs(
        services.store,
        owners[0] if owners is not None and len(owners) == 1 else None,
        limit=page_limit(query),
        cursor=query.get("after"),
        matches=_filter(query, owners),
    )
    jobs = [summary(job) | key_field(services, caller, job) for job in page.jobs]
    more = page.next_cursor is not None
    return json_reply(
        {"object": "list", "data": jobs, "has_more": more, "next_cursor": page.next_cursor}
    )


def _filter(query: dict[str, str], owners: list[str] | None) -> Callable[[JobRecord], bool]:
    statuses, model = _statuses(query.get("status")), query.get("model")
    metadata = {
        name.removeprefix(METADATA): value
        for name, value in query.items()
        if name.startswith(METADATA)
    }

    def matches(record: JobRecord) -> bool:
        if statuses and record.status not in statuses:
            return False
        if owners is not None and record.owner not in owners:
            return False
        return not (model or metadata) or _has(orjson.loads(record.shape), model, metadata)

    return matches


def _statuses(text: str | None) -> set[JobStatus]:
    words = [word.strip() for word in text.split(",")] if text else []
    unknown = [word for word in words if word not in STATUS_OF_WORD]
    if unknown:
        known = ", ".join(STATUS_OF_WORD)
        raise InvalidValue(f"status takes one or more of {known}.", param="status")
    return {STATUS_OF_WORD[word] for word in words}


def _has(shape: dict[str, Any], model: str | None, metadata: dict[str, str]) -> bool:
    if model and not fnmatchcase(str(shape.get("model")), model):
        return False
    found = shape.get("metadata")
    return metadata.items() <= (found if isinstance(found, dict) else {}).items()
