"""Errors as OpenAI's server answers them."""

from common.errors import ProviderAnsweredError

# ``type`` and ``code`` of OpenAI's errors by status; other 4xx are plain invalid requests.
_KINDS: dict[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    408: ("timeout_error", "request_timeout"),
    409: ("conflict_error", "conflict"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("server_error", "server_overloaded"),
}


def openai_error(
    status: int,
    message: str,
    *,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> ProviderAnsweredError:
    """The failure that an answer of that status makes, with the JSON body it came with as raw.

    429 asks for a pause of one second, in its field and in its header.
    """
    kind, code = _KINDS.get(status, _kind_of_class(status))
    error = {"message": message, "type": kind, "param": param, "code": code}
    pause = {"retry-after": "1"} if status == 429 else {}
    return ProviderAnsweredError(
        status,
        message,
        type=kind,
        code=code,
        param=param,
        retry_after_seconds=1.0 if pause else None,
        headers={**(headers or {}), **pause},
        raw={"error": error},
    )


def _kind_of_class(status: int) -> tuple[str, str | None]:
    if status >= 500:
        return "server_error", "server_error"
    return "invalid_request_error", "invalid_value"
