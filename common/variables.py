"""The environment variables that settings are written in. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

PREFIX = "MUNINN_"

# Names that platforms set by themselves; the name with the prefix wins.
WELL_KNOWN = {"redis_url": "REDIS_URL", "port": "PORT"}

# Written as one JSON object in their variable.
JSON_FIELDS = ("providers", "webhooks", "keys", "fallbacks")


def variable_of(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def variable_in(environ: Mapping[str, str], field: str) -> str:
    """The variable that the value of a field comes from."""
    ours = variable_of(field)
    return ours if environ.get(ours) else WELL_KNOWN.get(field, ours)


def values_of(fields: Iterable[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """The values that are set; a variable set to nothing counts as not set.

    Raises ValueError naming the variable for one that should be JSON and is not.
    """
    values: dict[str, Any] = {}
    for field in fields:
        value = environ.get(variable_in(environ, field))
        if value:
            values[field] = _as_json(field, value) if field in JSON_FIELDS else value
    return values


def _as_json(field: str, value: str) -> Any:
    try:
        return json.loads(value)
    except RecursionError:
        raise ValueError(f"{variable_of(field)}: not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{variable_of(field)}: not valid JSON: {error}") from None
