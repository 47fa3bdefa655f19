"""Values made from JSON schemas, checked by a real validator."""

import pytest
from jsonschema import Draft202012Validator

from common.providers.echo_schema import SchemaTooLarge, value_for

NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["value", "next"],
    "additionalProperties": False,
}

SCHEMAS = {
    "object": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    "nested": {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"b": {"type": "number"}}}},
    },
    "array": {"type": "array", "items": {"type": "string"}},
    "array with items": {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    "tuple": {"prefixItems": [{"type": "string"}, {"type": "null"}], "items": False},
    "enum": {"enum": ["red", "green"]},
    "const": {"const": None},
    "nullable": {"type": ["null", "integer"], "minimum": 3},
    "any of": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    "one of, with more beside": {"minimum": 2, "oneOf": [{"type": "integer"}]},
    "all of": {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"], "type": "object"},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    "reference": {
        "$defs": {"a/b": {"type": "integer", "minimum": 5}},
        "properties": {"x": {"$ref": "#/$defs/a~1b"}},
        "type": "object",
    },
    "recursion through any of": {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    "recursion through an optional field": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}},
    },
    "recursion through an array": {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["children"],
    },
    "short string": {"type": "string", "maxLength": 3},
    "long string": {"type": "string", "minLength": 300},
    "minimum": {"type": "integer", "minimum": 2.5},
    "more than": {"type": "integer", "exclusiveMinimum": 4},
    "more than 0": {"type": "number", "exclusiveMinimum": 0},
    "between 0 and 1": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "between -1 and 0": {"type": "number", "exclusiveMinimum": -1, "exclusiveMaximum": 0},
    "negative": {"type": "integer", "maximum": -7},
    "less than": {"type": "integer", "exclusiveMaximum": -7},
    "multiple": {"type": "integer", "minimum": 11, "multipleOf": 5},
    "multiple of a fraction": {"type": "number", "exclusiveMinimum": 1, "multipleOf": 0.5},
    "bounds around 0": {"type": "number", "minimum": -5, "maximum": 5},
    "null": {"type": "null"},
    "anything": {},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_the_value_is_valid_for_its_schema(schema):
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(value_for(schema, "the text"))


@pytest.mark.parametrize(
    "form", ["date-time", "date", "email", "ipv4", "ipv6", "uuid", "time", "duration"]
)
def test_a_formatted_string_is_valid_for_its_format(form):
    schema = {"type": "string", "format": form}
    checker = Draft202012Validator.FORMAT_CHECKER
    Draft202012Validator(schema, format_checker=checker).validate(value_for(schema, "the text"))


def test_strings_have_the_text():
    assert value_for(SCHEMAS["object"], "the text") == {"a": "the text", "b": 0}


def test_a_recursion_ends_as_soon_as_it_may():
    value = value_for(SCHEMAS["recursion through any of"], "t")
    assert value == {"value": "t", "next": None}


@pytest.mark.parametrize("schema", [True, None, 5, "x"])
def test_what_is_no_schema_object_allows_the_text(schema):
    assert value_for(schema, "the text") == "the text"


def test_a_schema_that_grows_without_end_is_refused():
    fields = {name: {"$ref": "#"} for name in "abc"}
    with pytest.raises(SchemaTooLarge):
        value_for({"type": "object", "properties": fields, "required": list("abc")}, "t")


def test_a_schema_that_doubles_at_each_step_is_refused():
    steps = {
        f"s{n}": {
            "type": "object",
            "properties": {name: {"$ref": f"#/$defs/s{n + 1}"} for name in "ab"},
            "required": ["a", "b"],
        }
        for n in range(30)
    }
    with pytest.raises(SchemaTooLarge):
        value_for({"$defs": steps, "$ref": "#/$defs/s0"}, "t")
