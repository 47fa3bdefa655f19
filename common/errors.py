"""Every failure Muninn speaks of, in one tree.

Each class carries the HTTP status, the ``type`` and the ``code`` its callers see, and whether the
same attempt may be worth repeating. One place in ``api`` turns them into JSON, one place in
``worker`` turns them into the error of a failed job.

::

    MuninnError
    ├── RequestError                 the caller's fault; nothing was done
    │   ├── InvalidJson              400  the body is not a JSON object
    │   ├── InvalidType              400  a field has the wrong type
    │   ├── InvalidValue             400  a field, header or combination that cannot be honoured
    │   ├── MissingParameter         400  a required field is absent
    │   ├── Unauthenticated          401
    │   ├── PermissionDenied         403
    │   ├── ModelNotFound            404  no such provider
    │   ├── JobNotFound              404  unknown, expired, deleted or someone else's job
    │   ├── RequestNotKept           404  the job is there, its request is not any more
    │   ├── RouteNotFound            404
    │   ├── MethodNotAllowed         405
    │   ├── BodyTimeout              408  the client was too slow to send its body
    │   ├── JobNotEnded              409  only for a job that has ended
    │   ├── RequestTooLarge          413
    │   ├── IdempotencyMismatch      422  the same key was used with another body
    │   └── RateLimited              429  over a limit, or the queue is full
    ├── ServiceUnavailable           503  Redis cannot be reached; for jobs only
    ├── InternalError                500  a bug of ours
    ├── ProviderFailure              the provider's fault
    │   ├── ProviderAnsweredError    its status, type, code and message, relayed
    │   ├── ProviderUnreachable      502  refused or reset before a byte of answer
    │   ├── ProviderInvalidAnswer    502  answered something that is no response, or stopped in it
    │   ├── ProviderConnectTimeout   504  nothing was sent yet
    │   └── ProviderTimeout          504  it was sent and no answer came in time
    ├── JobFailure                   a job ended without an answer of the provider
    │   ├── WorkerLost               its worker died, more often than allowed
    │   ├── DeadlineExceeded         it waited or ran for too long
    │   └── CallerKeyUnusable        the provider key that came with it is of no use any more
    └── CallAborted                  we closed the upstream call ourselves; never shown
"""

from typing import Any, ClassVar


class MuninnError(Exception):
    """Base of all failures. ``message`` is written for the caller and never holds a secret."""

    status: int = 500
    type: str = "api_error"
    code: str | None = None
    retryable: bool = False
    by_gateway: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        # Who was asked for what, filled in by the inference verb for the error's extra_fields.
        self.provider: str | None = None
        self.model_requested: str | None = None
        self.retry_after_seconds = retry_after_seconds
        # Headers of the answer that clients use.
        self.headers: dict[str, str] = {}
        if code is not None:
            self.code = code


class RequestError(MuninnError):
    """The request itself is at fault; sending it again unchanged will not help."""

    status = 400
    type = "invalid_request_error"


class InvalidJson(RequestError):
    code = "invalid_json"


class InvalidType(RequestError):
    code = "invalid_type"


class InvalidValue(RequestError):
    code = "invalid_value"


class MissingParameter(RequestError):
    code = "missing_required_parameter"


class Unauthenticated(RequestError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDenied(RequestError):
    status = 403
    type = "permission_error"
    code = "permission_denied"


class ModelNotFound(RequestError):
    status = 404
    code = "model_not_found"


class JobNotFound(RequestError):
    """One and the same answer whether the job never was, is gone, or is not the caller's."""

    status = 404
    code = "job_not_found"

    def __init__(self) -> None:
        super().__init__("No job or response with this id exists, or it has expired.")


class RequestNotKept(RequestError):
    """Long requests are dropped when their job ends."""

    status = 404
    code = "request_not_kept"


class RouteNotFound(RequestError):
    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class BodyTimeout(RequestError):
    status = 408
    code = "request_timeout"


class JobNotEnded(RequestError):
    status = 409
    code = "job_not_ended"


class RequestTooLarge(RequestError):
    status = 413
    code = "request_too_large"


class IdempotencyMismatch(RequestError):
    """422 and not 409, because OpenAI's SDKs repeat a 409 by themselves."""

    status = 422
    code = "idempotency_key_reused"


class RateLimited(RequestError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class ServiceUnavailable(MuninnError):
    status = 503
    type = "service_unavailable"
    code = "service_unavailable"
    retryable = True


class InternalError(MuninnError):
    code = "internal_error"


class ProviderFailure(MuninnError):
    """The provider is at fault. ``provider`` and ``model`` are filled in by the inference verb."""

    status = 502
    type = "provider_error"
    code = "provider_error"


class ProviderAnsweredError(ProviderFailure):
    """The provider answered an error of its own; it is passed on as it came.

    ``status``, ``type``, ``code`` and ``message`` are the provider's. 408, 429 and 5xx may pass.
    ``headers`` are those of its headers that clients use (rate limits, request id).
    """

    by_gateway = False

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after_seconds: float | None = None,
        headers: dict[str, str] | None = None,
        raw: Any = None,
    ) -> None:
        super().__init__(message, param=param, code=code, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.type = type or ProviderFailure.type
        self.code = code or ProviderFailure.code
        self.retryable = status in (408, 429) or status >= 500
        self.headers = headers or {}
        self.raw = raw


class ProviderUnreachable(ProviderFailure):
    retryable = True


class ProviderInvalidAnswer(ProviderFailure):
    """Bytes came, so the call may be paid for: it is not repeated by itself."""


class ProviderConnectTimeout(ProviderFailure):
    status = 504
    type = "provider_timeout"
    code = "provider_timeout"
    retryable = True


class ProviderTimeout(ProviderFailure):
    """Sent, and perhaps paid for, with no answer in time: not repeated by itself."""

    status = 504
    type = "provider_timeout"
    code = "provider_timeout"


class JobFailure(MuninnError):
    """A job that ended without an answer of the provider."""

    type = "api_error"


class WorkerLost(JobFailure):
    code = "worker_lost"


class DeadlineExceeded(JobFailure):
    code = "deadline_exceeded"


class CallerKeyUnusable(JobFailure):
    code = "caller_key_unusable"


class CallAborted(MuninnError):
    """The upstream call was closed by us. ``reason`` says why; nobody outside ever sees it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"upstream call closed: {reason}")
        self.reason = reason
