"""The models as JSON Schema (draft 2020-12), short enough to be read by people."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema


def json_schemas(models: Iterable[type[BaseModel]], ref_template: str) -> dict[str, Any]:
    """Schemas, by name, of the models and of all that they contain.

    ``ref_template`` says how one refers to another, with ``{model}`` for its name.
    """
    wanted = [(model, "validation") for model in dict.fromkeys(models)]
    found = models_json_schema(wanted, ref_template=ref_template)[1]["$defs"]  # type: ignore[arg-type]
    return {name: _plain(schema) for name, schema in sorted(found.items())}


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(part) for key, part in schema.items() if not _is_noise(key, part)}
    # A known item is also an object like any other: more than one branch may match.
    branches = plain.pop("oneOf", None) or plain.pop("anyOf", None)
    return plain | _union(branches) if branches else plain


def _is_noise(key: str, part: Any) -> bool:
    """Titles made of the names, "not given", and what is true of every model anyway."""
    if key == "title":
        return isinstance(part, str)  # and not the schema of a property of that name
    return (key == "default" and part is None) or (key == "additionalProperties" and part is True)


def _union(branches: list[dict[str, Any]]) -> dict[str, Any]:
    """A union inside a union joins it, and one of bare types is a list of types."""
    if not all(branch.keys() == {"type"} for branch in branches):
        return {"anyOf": [inner for branch in branches for inner in branch.get("anyOf", [branch])]}
    types: list[str] = []
    for branch in branches:
        types += branch["type"] if isinstance(branch["type"], list) else [branch["type"]]
    return {"type": types}
