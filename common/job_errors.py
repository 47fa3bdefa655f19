"""A failure as it is kept in a job's record. Pure."""

from typing import Any

from common.errors import MuninnError


def error_fields(error: MuninnError) -> dict[str, Any]:
    """What the record keeps of a failure: what the caller sees, and where it came from."""
    return {
        "code": error.code,
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "status_code": error.status,
        "provider": error.provider,
        "by_gateway": error.by_gateway,
    }
