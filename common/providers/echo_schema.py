"""A small JSON value that fits a JSON schema, with a given text in its strings.

Knows the part of JSON Schema that structured outputs and function tools use. ``pattern``,
``uniqueItems`` and conditions between fields are not honoured.
"""

import math
from typing import Any

Schema = dict[str, Any]

# A schema may name itself twice at each level; this stops what would grow without end.
_MAX_VALUES = 5000
_MAX_DEPTH = 60

_FORMATS = {
    "date-time": "2025-01-01T00:00:00Z",
    "date": "2025-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "echo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class SchemaTooLarge(ValueError):
    """No value of a bounded size was found for the schema."""


def value_for(schema: Any, text: str) -> Any:
    """The value; raises SchemaTooLarge when it would need too many parts."""
    return _Builder(schema if isinstance(schema, dict) else {}, text).value(schema, ())


class _Builder:
    """Builds one value. ``refs`` are the references being followed, to leave a recursion."""

    def __init__(self, root: Schema, text: str) -> None:
        self._root = root
        self._text = text
        self._values = 0

    def value(self, schema: Any, refs: tuple[str, ...], depth: int = 0) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise SchemaTooLarge("the schema needs a value of too many parts")
        schema, refs = self._resolved(schema, refs)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        for field in ("anyOf", "oneOf"):
            if options := schema.get(field):
                chosen = {**_without(schema, field), **self._chosen(options, refs)}
                return self.value(chosen, refs, depth + 1)
        return self._typed(schema, refs, depth)

    def _resolved(self, schema: Any, refs: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """The schema with its ``$ref`` and ``allOf`` put in place."""
        schema = schema if isinstance(schema, dict) else {}
        while "$ref" in schema:
            ref = str(schema["$ref"])
            if len(refs) > _MAX_DEPTH:
                raise SchemaTooLarge("the schema refers to itself without end")
            refs = (*refs, ref)
            schema = {**_without(schema, "$ref"), **self._target(ref)}
        parts = schema.get("allOf")
        schema = _without(schema, "allOf")
        for part in parts if isinstance(parts, list) else []:
            resolved, refs = self._resolved(part, refs)
            schema = _merged(schema, resolved)
        return schema, refs

    def _target(self, ref: str) -> Schema:
        found: Any = self._root
        for step in ref.removeprefix("#").split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    def _chosen(self, options: Any, refs: tuple[str, ...]) -> Schema:
        """The first option that is neither null nor a step of a recursion; else the last one."""
        found = [option for option in options if isinstance(option, dict)]
        for option in found:
            if option.get("type") != "null" and _ref_of(option) not in refs:
                return option
        return found[-1] if found else {}

    def _typed(self, schema: Schema, refs: tuple[str, ...], depth: int) -> Any:
        match _type_of(schema):
            case "object":
                return self._object(schema, refs, depth)
            case "array":
                return self._array(schema, refs, depth)
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(schema, self._text)

    def _object(self, schema: Schema, refs: tuple[str, ...], depth: int) -> Schema:
        fields = schema.get("properties")
        fields = fields if isinstance(fields, dict) else {}
        leaving = [name for name, kind in fields.items() if _ref_of(kind) not in refs]
        names = schema.get("required", leaving)
        return {name: self.value(fields.get(name), refs, depth + 1) for name in names}

    def _array(self, schema: Schema, refs: tuple[str, ...], depth: int) -> list[Any]:
        first = schema.get("prefixItems", [])
        count = max(int(schema.get("minItems", 0)), len(first))
        kinds = [*first, *[schema.get("items")] * min(count - len(first), _MAX_VALUES + 1)]
        return [self.value(kind, refs, depth + 1) for kind in kinds]


def _ref_of(schema: Any) -> Any:
    return schema.get("$ref") if isinstance(schema, dict) else None


def _without(schema: Schema, field: str) -> Schema:
    return {key: value for key, value in schema.items() if key != field}


def _merged(schema: Schema, more: Schema) -> Schema:
    merged = {**schema, **more}
    if "properties" in schema and "properties" in more:
        merged["properties"] = {**schema["properties"], **more["properties"]}
    if "required" in schema and "required" in more:
        merged["required"] = [*schema["required"], *more["required"]]
    return merged


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None and "properties" in schema:
        return "object"
    if kind is None and ("items" in schema or "prefixItems" in schema):
        return "array"
    return kind if isinstance(kind, str) else "string"


def _string(schema: Schema, text: str) -> str:
    form = schema.get("format")
    if form in _FORMATS:
        return _FORMATS[form]
    least = min(int(schema.get("minLength", 0)), 1_000_000)
    return text.ljust(least, ".")[: schema.get("maxLength")]


def _number(schema: Schema, *, whole: bool) -> int | float:
    """The number nearest to 0 that the bounds and ``multipleOf`` allow."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf", 1 if whole else None)
    if (low is not None and low > 0) or (above is not None and above >= 0):
        return _least(low, above, _tighter(high, below), step)
    if (high is not None and high < 0) or (below is not None and below <= 0):
        high, below = _negated(high), _negated(below)
        return -_least(high, below, _tighter(_negated(low), _negated(above)), step)
    return 0


def _least(low: Any, above: Any, limit: Any, step: Any) -> int | float:
    """The least multiple of ``step`` from ``low`` on and beyond ``above``, both not negative.

    Without a step: ``low`` itself, or a number between ``above`` and ``limit``.
    """
    bound = max(each for each in (low, above) if each is not None)
    if step is None:
        within = bound + 1 if limit is None else (bound + limit) / 2
        return float(within if bound == above else bound)
    count = math.ceil(bound / step)
    least: int | float = step * (count + 1 if step * count == above else count)
    return least


def _tighter(high: Any, below: Any) -> Any:
    return min((each for each in (high, below) if each is not None), default=None)


def _negated(bound: Any) -> Any:
    return None if bound is None else -bound
