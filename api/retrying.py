"""The request of a stored job: shown, and submitted once more."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from api.auth import Caller, identify
from api.finding import find_job
from api.headers import PROVIDER_KEY, idempotency_key
from api.incoming import Incoming
from api.limits import limited
from api.permissions import check_permission, usable_fallbacks
from api.polling import poll_headers, replayed_header
from api.provider_keys import provider_key_to_keep
from api.reply import Reply, json_reply
from api.submitting import options_of_now, submit_job
from common.bootstrap import Services
from common.caller_keys import CallerKey
from common.envelope import timestamp
from common.errors import InvalidValue, JobNotEnded, RequestNotKept
from common.inference import CallOptions
from common.jobs import JobRecord
from common.store.stored_requests import StoredRequest, bound_of, read_request
from common.submission import Submission
from common.virtual_keys import VirtualKey


@dataclass(frozen=True, slots=True)
class Retry:
    """A job that has ended, what it was submitted with, and who wants it run once more."""

    caller: Caller
    record: JobRecord
    stored: StoredRequest
    body: dict[str, Any]


def show_request(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """``GET /v1/async/responses/{id}/request``: the body that the job runs with."""
    record = find_job(services.store, identify(services, incoming), job_id)
    return Reply(200, _stored(services, record).request)


def retry(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """``POST /v1/async/responses/{id}/retry``: a new job from an ended one's request; 202.

    It belongs to whom the first one belongs to, and counts as a request of the caller.
    """
    caller = identify(services, incoming)
    record = find_job(services.store, caller, job_id)
    if not record.is_ended:
        raise JobNotEnded("The job has not ended yet.")
    stored = _stored(services, record)
    wanted = Retry(caller, record, stored, orjson.loads(stored.request))
    check_permission(services, caller, wanted.body)
    return limited(services, caller, partial(_retried, services, incoming, wanted))


def _stored(services: Services, record: JobRecord) -> StoredRequest:
    stored = read_request(services.store, record.id)
    if stored is None:
        raise RequestNotKept("The request of this job is not kept: it was too long.")
    return stored


def _retried(services: Services, incoming: Incoming, wanted: Retry) -> Reply:
    record = wanted.record
    submitted = submit_job(services, _submission(services, incoming, wanted))
    body = {
        "id": submitted.job_id,
        "status": "pending",
        "created_at": timestamp(submitted.created_at_ms),
        "retry_of": record.id,
    }
    headers = poll_headers(submitted.created_at_ms) | replayed_header(submitted)
    return json_reply(body, 202, headers)


def _submission(services: Services, incoming: Incoming, wanted: Retry) -> Submission:
    record, stored = wanted.record, wanted.stored
    owner = record.owner
    options = CallOptions.from_json(stored.options)
    caller_key = _caller_key(services, incoming, wanted, options)
    key = services.keyring.key_of(owner)
    return Submission(
        owner=owner,
        raw=stored.request,
        request=stored.request,
        body=wanted.body,
        options=options_of_now(options, _fallbacks(services, wanted, key, options), caller_key),
        ttl_seconds=stored.ttl_seconds,
        idempotency_key=_idempotency_key(incoming, record),
        webhook=record.delivery.target if record.delivery is not None else None,
        # A key that is gone is bounded as it was.
        max_running=key.max_running if key is not None else bound_of(services.store, stored),
        caller_key=caller_key,
    )


def _caller_key(
    services: Services, incoming: Incoming, wanted: Retry, options: CallOptions
) -> CallerKey | None:
    """The provider key that comes with the retry; one that came with the job ended with it."""
    key = provider_key_to_keep(services, incoming, wanted.caller, wanted.body["model"])
    if key is None and options.has_caller_key:
        raise InvalidValue(
            "The job was run with a provider key of its caller's; a retry has to bring one too.",
            param=PROVIDER_KEY,
        )
    return key


def _fallbacks(
    services: Services, wanted: Retry, key: VirtualKey | None, options: CallOptions
) -> tuple[str, ...]:
    """Those that the job's own key may use now; of a key that is gone, those that it could."""
    owner = wanted.record.owner
    if owner and key is None:
        return options.fallbacks
    return usable_fallbacks(services, Caller(owner, key), wanted.body)


def _idempotency_key(incoming: Incoming, record: JobRecord) -> str | None:
    """The caller's key for this retry; the one that the job itself was submitted with would lead
    back to that job."""
    key = idempotency_key(incoming)
    return None if key is None else f"{record.id}\n{key}"
