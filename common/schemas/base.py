"""What all models share: unknown fields are kept, known ones are checked and never converted.

A field that may have several JSON types is a union whose branch is picked by the JSON type of the
value (``json_type``), never by trial: one wrong value gives one fault, and a list of a thousand
items is walked once. Ranges and enumerated values are left to the provider, so that a value it
introduces tomorrow passes today.
"""

from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    Strict,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

STRING, NUMBER, INTEGER, BOOLEAN = "a string", "a number", "an integer", "a boolean"
ARRAY, OBJECT, NULL = "an array", "an object", "null"
KNOWN, OPEN = "an object of a known type", "an object of a type of tomorrow"

# What a union may add to the path of a fault; none of it is part of the caller's JSON.
BRANCHES = frozenset({STRING, ARRAY, OBJECT, KNOWN, OPEN})

# The fault of a StringMap: the key of the wrong value is in its context, not in its path.
NOT_A_STRING = "string_map_value"

_JSON_TYPES = {str: STRING, list: ARRAY, dict: OBJECT, bool: BOOLEAN, type(None): NULL}


def json_type(value: object) -> str:
    """The JSON type of a parsed value, with its article; ``a number`` for every number."""
    return _JSON_TYPES.get(type(value), NUMBER)


class Open(BaseModel):
    """An object whose documented fields are typed and whose other fields pass."""

    model_config = ConfigDict(extra="allow")


class _FirstFault(FailFast):
    """One fault of a list is enough. Hashable, which a member of a union has to be."""

    def __hash__(self) -> int:
        return hash(type(self))


T = TypeVar("T")
ListOf = Annotated[list[T], _FirstFault()]

Text = Annotated[str, Strict()]
Int = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Bool = Annotated[bool, Strict()]
Object = dict[str, Any]
Strings = ListOf[Text]
Objects = ListOf[Object]


def _all_strings(value: Object) -> Object:
    """A dict of strings, with one fault at most: pydantic's own collects one for every key."""
    for key, part in value.items():
        if type(part) is not str:
            raise PydanticCustomError(NOT_A_STRING, "expected a string at {key}", {"key": key})
    return value


StringMap = Annotated[
    Object,
    AfterValidator(_all_strings),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]

_Text = Annotated[Text, Tag(STRING)]
_Object = Annotated[Object, Tag(OBJECT)]
TextOrObject = Annotated[_Text | _Object, Discriminator(json_type)]
TextOrStrings = Annotated[_Text | Annotated[Strings, Tag(ARRAY)], Discriminator(json_type)]
StringsOrObject = Annotated[Annotated[Strings, Tag(ARRAY)] | _Object, Discriminator(json_type)]


def doc(description: str, *examples: Any) -> Any:
    """An optional field. ``examples`` are values in use today, not the only ones accepted."""
    return Field(None, description=description, examples=list(examples) or None)
