"""What every error status means."""

ERRORS = {
    400: "The body is not a JSON object (`invalid_json`), a field has the wrong type "
    "(`invalid_type`) or a value that cannot be honoured (`invalid_value`), or `model` is missing "
    "(`missing_required_parameter`). `error.param` names the field.",
    401: "Keys are required, and none was sent, or one that is unknown, expired or revoked "
    "(`invalid_api_key`); or the provider is asked with keys of callers, and none was sent "
    "(`provider_key_required`).",
    403: "The key is not for this provider or model (`model_not_allowed`), the provider is not "
    "asked with keys of callers (`caller_key_not_allowed`), or no admin's "
    "(`admin_key_required`); or a web page of another origin had a browser send this to a gateway "
    "without keys (`permission_denied`).",
    404: "No provider of that name (`model_not_found`), or no job or response with that id: "
    "unknown, expired, deleted or another caller's (`job_not_found`), or its request is not kept "
    "any more (`request_not_kept`).",
    408: "The body did not come in time (`request_timeout`).",
    409: "The job has not ended yet (`job_not_ended`).",
    413: "The body is too large (`request_too_large`).",
    422: "The idempotency key was used with another body (`idempotency_key_reused`).",
    429: "The key has made too many requests in the last minute (`rate_limit_exceeded`), too many "
    "jobs are waiting (`queue_full`) or are followed at once, or the provider limits its rate.",
    502: "The provider cannot be reached, or gave no valid answer (`provider_error`).",
    503: "The job store cannot be reached; calls that are not jobs go on without it "
    "(`service_unavailable`).",
    504: "The provider did not answer in time (`provider_timeout`).",
}
SAY_WHEN_TO_RETRY = frozenset({429, 503})
