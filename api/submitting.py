"""From a request to a job: what the Responses routes and the job envelope have in common."""

from dataclasses import dataclass, replace
from typing import Any

import orjson

from api.auth import Caller
from api.headers import WEBHOOK, GatewayHeaders, idempotency_key, result_ttl_seconds, webhook
from api.incoming import Incoming
from api.permissions import check_permission, usable_fallbacks
from api.previous import resolve_previous
from api.provider_keys import provider_key_to_keep
from common.bootstrap import Services
from common.caller_keys import CallerKey
from common.errors import InvalidValue
from common.inference import CallOptions
from common.log_context import note, request_id
from common.submission import Submission, Submitted
from common.tracing import traceparent


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """A request that asks for a job: who, with which headers, and the body raw and parsed."""

    caller: Caller
    headers: GatewayHeaders
    raw: bytes
    body: dict[str, Any]

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream"))


def submit(services: Services, incoming: Incoming, request: SubmitRequest) -> Submitted:
    """Store and queue the job. Raises as ``prepare_submission`` and ``submit_job`` do."""
    submission = replace(
        prepare_submission(services, incoming, request),
        idempotency_key=idempotency_key(incoming),
        webhook=webhook(incoming),
    )
    return submit_job(services, submission)


def submit_job(services: Services, submission: Submission) -> Submitted:
    """Store and queue the job. Raises as ``Submitter.submit`` does, and InvalidValue for a webhook
    that there is not."""
    if submission.webhook is not None:
        services.webhooks.endpoints.check(submission.webhook, WEBHOOK)
    submitted = services.submitter.submit(submission)
    note(job_id=submitted.job_id, model=submission.body["model"])
    return submitted


def prepare_submission(
    services: Services, incoming: Incoming, request: SubmitRequest
) -> Submission:
    """The submission that a request is. Raises InvalidValue for what a job cannot do,
    PermissionDenied for a model that its caller may not use, and as ``provider_key`` does."""
    body = request.body
    check_permission(services, request.caller, body)
    key = provider_key_to_keep(services, incoming, request.caller, body["model"])
    if body.get("background") and body.get("store") is False:
        raise InvalidValue("'background' needs 'store' to be true.", param="store")
    resolved = resolve_previous(services.store, request.caller, body)
    settings = services.settings
    return Submission(
        owner=request.caller.owner,
        raw=request.raw,
        request=request.raw if resolved is body else orjson.dumps(resolved),
        body=body,
        options=options_of_now(
            replace(request.headers.options, stream=request.is_streamed),
            usable_fallbacks(services, request.caller, body),
            key,
        ),
        ttl_seconds=result_ttl_seconds(
            incoming, settings.result_ttl_seconds, settings.max_result_ttl_seconds
        ),
        max_running=request.caller.max_running,
        caller_key=key,
    )


def options_of_now(
    options: CallOptions, fallbacks: tuple[str, ...], caller_key: CallerKey | None
) -> CallOptions:
    """The options with what belongs to this one request for a job."""
    return replace(
        options,
        request_id=request_id(),
        traceparent=traceparent(),
        fallbacks=fallbacks,
        has_caller_key=caller_key is not None,
    )
