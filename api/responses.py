"""The Responses routes: create (inline, streamed, as a job), poll, retrieve, cancel, delete."""

from dataclasses import replace
from functools import partial

from api.auth import Caller, identify
from api.counting import counted
from api.finding import cancel_job, find_job
from api.headers import ASYNC, parse_headers, wait_seconds
from api.incoming import Incoming
from api.job_streaming import job_stream_reply, starting_after, submitted_stream_reply
from api.limits import limited
from api.measured_stream import MeasuredRelay
from api.permissions import check_permission, usable_fallbacks
from api.polling import poll_reply, submit_reply, waited_reply
from api.previous import resolve_previous
from api.provider_keys import provider_key
from api.reply import Reply, json_reply
from api.streaming import stream_reply
from api.submitting import SubmitRequest, submit
from common.bootstrap import Services
from common.caller_keys import CallerKey
from common.errors import InvalidValue, ProviderFailure
from common.inference import CallOptions
from common.log_context import note
from common.providers.base import UpstreamCall
from common.schemas import parse_create_request


def create(services: Services, incoming: Incoming) -> Reply:
    """``POST …/responses``."""
    caller = identify(services, incoming)
    headers = parse_headers(incoming)
    if headers.poll_id is not None:
        return _poll(services, incoming, caller, headers.poll_id)
    raw = incoming.body(services.settings.max_body_bytes)
    body = parse_create_request(raw)
    note(model=body.get("model"))
    request = SubmitRequest(caller, headers, raw, body)
    if headers.is_async or body.get("background"):
        return limited(services, caller, partial(_create_job, services, incoming, request))
    check_permission(services, caller, body)
    key = provider_key(services, incoming, caller, body["model"])
    return limited(services, caller, partial(_answer, services, request, key))


def _answer(services: Services, request: SubmitRequest, key: CallerKey | None) -> Reply:
    options = _options(services, request)
    body = resolve_previous(services.store, request.caller, request.body)
    usage, owner = services.usage, request.caller.owner
    try:
        if body.get("stream"):
            call = UpstreamCall(services.settings.stream_heartbeat_seconds)
            relayed = services.inference.stream(body, call, options=options, caller_key=key)
            stream = MeasuredRelay(relayed, services.metrics)
            return counted(usage, owner, stream, stream_reply(stream))
        answer = services.inference.create(body, options, UpstreamCall(), caller_key=key)
    except ProviderFailure:
        usage.count(owner, None)
        raise
    usage.count(owner, answer.response.get("usage"), answer.cost)
    services.metrics.providers.answered(answer)
    return Reply(200, answer.body, answer.headers)


def _options(services: Services, request: SubmitRequest) -> CallOptions:
    fallbacks = usable_fallbacks(services, request.caller, request.body)
    options = request.headers.options
    return replace(options, fallbacks=fallbacks) if fallbacks else options


def _poll(services: Services, incoming: Incoming, caller: Caller, any_id: str) -> Reply:
    record = find_job(services.store, caller, any_id)
    with services.places.granted(wait_seconds(incoming)) as seconds:
        return waited_reply(services, record, seconds)


def _create_job(services: Services, incoming: Incoming, request: SubmitRequest) -> Reply:
    if request.is_streamed and request.headers.is_async:
        raise InvalidValue(f"'stream' does not go with {ASYNC}: true.", param="stream")
    if request.is_streamed:
        return submitted_stream_reply(services, partial(submit, services, incoming, request))
    submitted = submit(services, incoming, request)
    with services.places.granted(wait_seconds(incoming)) as seconds:
        return submit_reply(services, submitted, seconds)


def retrieve(services: Services, incoming: Incoming, response_id: str) -> Reply:
    """``GET …/responses/{id}``; with ``stream=true`` the events after ``starting_after``."""
    caller, query = identify(services, incoming), incoming.query()
    if query.get("stream", "").lower() != "true":
        return _poll(services, incoming, caller, response_id)
    after = starting_after(query)
    return job_stream_reply(services, lambda: find_job(services.store, caller, response_id), after)


def cancel(services: Services, incoming: Incoming, response_id: str) -> Reply:
    """``POST …/responses/{id}/cancel``: a job that has ended is answered as it is."""
    caller = identify(services, incoming)
    return poll_reply(cancel_job(services.store, services.queue, caller, response_id))


def delete(services: Services, incoming: Incoming, response_id: str) -> Reply:
    """``DELETE …/responses/{id}``."""
    record = find_job(services.store, identify(services, incoming), response_id)
    services.store.delete(record.id)
    return json_reply({"id": response_id, "object": "response.deleted", "deleted": True})
