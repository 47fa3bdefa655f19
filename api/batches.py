"""Batches: up to a thousand requests submitted, watched and cancelled as one."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from api.auth import Caller, identify
from api.headers import PROVIDER_KEY, WEBHOOK, parse_headers, webhook
from api.incoming import Incoming
from api.limits import limited
from api.paging import page_limit
from api.reply import Reply, json_reply
from api.submitting import SubmitRequest, prepare_submission
from common.bootstrap import Services
from common.envelope import STATUS_WORDS, summary, timestamp
from common.errors import InvalidType, InvalidValue, JobNotFound, MissingParameter, RequestError
from common.jobs import TERMINAL, JobRecord, is_job_id
from common.schemas import check_create_request, parse_object
from common.store.batches import Batch, BatchItem
from common.submission import Submission

MOST_ITEMS = 1_000
LONGEST_CUSTOM_ID = 512
EXPIRED = "expired"


def submit(services: Services, incoming: Incoming) -> Reply:
    """``POST /v1/async/responses/batch``."""
    caller = identify(services, incoming)
    body = parse_object(incoming.body(services.settings.max_body_bytes))
    items = _items(services, incoming, caller, body.get("requests"))
    target = webhook(incoming)
    if target is not None:
        services.webhooks.endpoints.check(target, WEBHOOK)

    def answer() -> Reply:
        batch = services.batch_submitter.submit(caller.owner, items, target)
        return json_reply(_view(batch, Counter({"pending": len(items)})), 202)

    return limited(services, caller, answer, len(items))


def show(services: Services, incoming: Incoming, batch_id: str) -> Reply:
    """``GET /v1/async/responses/batch/{id}``: how many of its jobs are in which status."""
    batch = _find(services, incoming, batch_id)
    counts = Counter(_word(job) for job in services.batches.jobs(batch.items))
    return json_reply(_view(batch, counts))


def list_items(services: Services, incoming: Incoming, batch_id: str) -> Reply:
    """``GET /v1/async/responses/batch/{id}/items``: in the order they were given, page by page;
    ``after`` names the last custom id seen."""
    query = incoming.query()
    batch = _find(services, incoming, batch_id)
    items, limit = _after(batch.items, query.get("after")), page_limit(query)
    page = items[:limit]
    jobs = services.batches.jobs(page)
    return json_reply(
        {
            "object": "list",
            "data": [_item_view(*pair) for pair in zip(page, jobs, strict=True)],
            "has_more": len(items) > limit,
        }
    )


def cancel(services: Services, incoming: Incoming, batch_id: str) -> Reply:
    """``POST /v1/async/responses/batch/{id}/cancel``: all its jobs that have not ended."""
    batch = _find(services, incoming, batch_id)
    for item, job in zip(batch.items, services.batches.jobs(batch.items), strict=True):
        if job is not None and job.status not in TERMINAL:
            services.store.cancel(item.job_id, services.queue.message(item.job_id))
    return show(services, incoming, batch_id)


def _find(services: Services, incoming: Incoming, batch_id: str) -> Batch:
    batch = services.batches.get(batch_id) if is_job_id(batch_id) else None
    if batch is None or not identify(services, incoming).may_see(batch.owner):
        raise JobNotFound
    return batch


def _items(
    services: Services, incoming: Incoming, caller: Caller, given: Any
) -> list[tuple[str, Submission]]:
    """Every request checked, before the first is submitted."""
    if given is None:
        raise MissingParameter("requests: this field is required.", param="requests")
    if not isinstance(given, list):
        raise InvalidType("requests: expected an array.", param="requests")
    if not 1 <= len(given) <= MOST_ITEMS:
        raise InvalidValue(f"requests: takes 1 to {MOST_ITEMS} requests.", param="requests")
    items = [_item(services, incoming, caller, index, value) for index, value in enumerate(given)]
    twice = [name for name, count in Counter(name for name, _ in items).items() if count > 1]
    if twice:
        raise InvalidValue(f"requests: custom_id {twice[0]!r} is there twice.", param="requests")
    _check_one_provider(submission for _, submission in items)
    return items


def _check_one_provider(submissions: Iterable[Submission]) -> None:
    """A caller's key is for one provider, and no other shall come to know it."""
    if len({each.caller_key.provider for each in submissions if each.caller_key}) > 1:
        raise InvalidValue(
            "requests: a batch that brings a provider key has to keep to one provider.",
            param=PROVIDER_KEY,
        )


def _item(
    services: Services, incoming: Incoming, caller: Caller, index: int, value: Any
) -> tuple[str, Submission]:
    place = f"requests[{index}]"
    if not isinstance(value, dict) or not isinstance(value.get("body"), dict):
        raise InvalidType(f"{place}: expected an object with custom_id and body.", param=place)
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= LONGEST_CUSTOM_ID:
        fault = f"{place}.custom_id: expected 1 to {LONGEST_CUSTOM_ID} characters."
        raise InvalidType(fault, param=f"{place}.custom_id")
    body = value["body"]
    try:
        check_create_request(body)
        request = SubmitRequest(caller, parse_headers(incoming), orjson.dumps(body), body)
        if request.is_streamed:
            raise InvalidValue("A job of a batch cannot be streamed.", param="stream")
        submission = prepare_submission(services, incoming, request)
        services.inference.check(body, submission.caller_key)
        return custom_id, submission
    except RequestError as error:
        if error.param != PROVIDER_KEY:
            error.param = f"{place}.body.{error.param}" if error.param else place
        error.message = f"{place}: {error.message}"
        raise


def _after(items: list[BatchItem], last_seen: str | None) -> list[BatchItem]:
    if last_seen is None:
        return items
    names = [item.custom_id for item in items]
    if last_seen not in names:
        raise InvalidValue("after names no item of this batch.", param="after")
    return items[names.index(last_seen) + 1 :]


def _view(batch: Batch, counts: Counter[str]) -> dict[str, Any]:
    words = [*STATUS_WORDS.values(), EXPIRED]
    is_active = counts["pending"] or counts["processing"]
    view: dict[str, Any] = {
        "id": batch.id,
        "object": "batch",
        "status": "processing" if is_active else "completed",
        "created_at": timestamp(batch.created_at_ms),
        "counts": {"total": len(batch.items), **{word: counts[word] for word in words}},
    }
    if batch.ended_at_ms is not None:
        view["completed_at"] = timestamp(batch.ended_at_ms)
    return view


def _item_view(item: BatchItem, job: JobRecord | None) -> dict[str, Any]:
    shown = summary(job) if job else {"id": item.job_id, "status": EXPIRED}
    return {"custom_id": item.custom_id, **shown}


def _word(job: JobRecord | None) -> str:
    return STATUS_WORDS[job.status] if job else EXPIRED
