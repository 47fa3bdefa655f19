"""From the bytes of a request to a checked dict; every fault names its field."""

from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from common.errors import InvalidJson, InvalidType, MissingParameter
from common.nesting import MAX_DEPTH, is_too_deep
from common.schemas.base import (
    ARRAY,
    BOOLEAN,
    BRANCHES,
    INTEGER,
    NOT_A_STRING,
    NUMBER,
    OBJECT,
    STRING,
    json_type,
)
from common.schemas.checker import checker_of
from common.schemas.request import CreateResponse

_SHOWN_PATH = 200

_check = checker_of(CreateResponse)

_EXPECTED = {
    "string_type": STRING,
    "float_type": NUMBER,
    "int_type": INTEGER,
    "bool_type": BOOLEAN,
    "list_type": ARRAY,
    "dict_type": OBJECT,
    NOT_A_STRING: STRING,
}


def parse_create_request(body: bytes) -> dict[str, Any]:
    """The body of a create request as it was sent, checked.

    Raises InvalidJson, InvalidType or MissingParameter, each with a message for the caller.
    """
    request = parse_object(body)
    check_create_request(request)
    return request


def check_create_request(request: dict[str, Any]) -> None:
    """Check a create request that is parsed already. Raises InvalidType or MissingParameter."""
    model = request.get("model")
    if model is None or (isinstance(model, str) and not model.strip()):
        raise MissingParameter("model: this field is required.", param="model")
    try:
        _check(request)
    except ValidationError as error:
        raise _as_invalid_type(error) from None


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises InvalidJson."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(_why_not_json(body, error)) from None
    if not isinstance(request, dict):
        found = json_type(request)
        raise InvalidJson(f"The request body must be a JSON object, not {found}.")
    if is_too_deep(body, request):
        message = f"The request body is nested too deeply; {MAX_DEPTH} levels are allowed."
        raise InvalidJson(message)
    return request


def _why_not_json(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return "The request body is empty; a JSON object is expected."
    try:
        body.decode()
    except UnicodeDecodeError as fault:
        return f"The request body is not valid UTF-8: byte {fault.start} is out of place."
    place = f"line {error.lineno} column {error.colno} (char {error.pos})"
    return f"The request body is not valid JSON: {error.msg} at {place}."


def _as_invalid_type(error: ValidationError) -> InvalidType:
    fault = error.errors(include_url=False)[0]
    loc, value = fault["loc"], fault["input"]
    if fault["type"] == NOT_A_STRING:
        key = fault["ctx"]["key"]
        loc, value = (*loc, key), value[key]
    param = _path(loc)
    shown = param if len(param) <= _SHOWN_PATH else param[:_SHOWN_PATH] + "…"
    message = f"{shown}: expected {_expected(fault)}, got {json_type(value)}."
    return InvalidType(message, param=shown)


def _expected(fault: ErrorDetails) -> str:
    if fault["type"] == "union_tag_invalid":
        kinds = [kind.strip(" '") for kind in fault["ctx"]["expected_tags"].split(",")]
        return " or ".join([", ".join(kinds[:-1]), kinds[-1]])
    return _EXPECTED.get(fault["type"], "another type")


def _path(loc: tuple[int | str, ...]) -> str:
    """OpenAI's way to name a field: ``tools[0].name``."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in BRANCHES:
            path += f".{part}" if path else part
    return path
