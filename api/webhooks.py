"""``POST /v1/async/responses/{id}/webhook``: the event of an ended job is sent once more."""

from api.auth import identify
from api.finding import find_job
from api.incoming import Incoming
from api.owners import key_field
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.envelope import envelope
from common.errors import InvalidValue, JobNotFound

_REFUSALS = {
    "none": "The job was submitted without a webhook.",
    "not_ended": "The job has not ended yet; its webhook is sent when it has.",
}


def redeliver(services: Services, incoming: Incoming, job_id: str) -> Reply:
    """Deliver again with all attempts, whatever became of the delivery before; 202."""
    caller = identify(services, incoming)
    record = find_job(services.store, caller, job_id)
    outcome = services.webhooks.dispatcher.again(record.id)
    if outcome == "gone":
        raise JobNotFound
    if outcome in _REFUSALS:
        raise InvalidValue(_REFUSALS[outcome], param="id")
    found = find_job(services.store, caller, record.id)
    return json_reply(envelope(found) | key_field(services, caller, found), 202)
