"""The one shape of every error."""

from common.schemas.base import Bool, Int, Open, Text, doc
from common.schemas.extra_fields import ErrorExtraFields


class ErrorDetail(Open):
    """The part that OpenAI's SDKs read."""

    type: Text | None = doc("The family.", "invalid_request_error", "provider_error")
    code: Text | None = doc("The exact error.", "invalid_type", "job_not_found")
    message: Text | None = doc("What is wrong, for people.")
    param: Text | None = doc("The field at fault.", "model", "tools[0].name")
    event_id: Text | None = doc("Finds the error in the log.")


class ErrorBody(Open):
    """An error, whether the gateway's or the provider's."""

    event_id: Text | None = doc("Finds the error in the log.")
    type: Text | None = doc("The same as `error.type`.")
    is_bifrost_error: Bool | None = doc("True for the gateway's own, false for a provider's.")
    status_code: Int | None = doc("The HTTP status.")
    error: ErrorDetail | None = doc("What is wrong.")
    extra_fields: ErrorExtraFields | None = doc("Which call it belongs to.")
