"""The parts that the content of a message or of a tool's output is made of."""

from typing import Annotated

from pydantic import Discriminator, Tag

from common.schemas.base import (
    ARRAY,
    KNOWN,
    OBJECT,
    OPEN,
    STRING,
    ListOf,
    Object,
    Objects,
    Open,
    Text,
    doc,
    json_type,
)

PART_TYPES = frozenset(
    {
        "input_text",
        "input_image",
        "input_file",
        "output_text",
        "refusal",
        "reasoning_text",
        "summary_text",
        "text",
        "computer_screenshot",
    }
)


class ContentPart(Open):
    """One part; which fields it has depends on ``type``."""

    type: Text | None = doc("What the part is.", "input_text", "input_image", "output_text")
    text: Text | None = doc("The text of a text part.")
    refusal: Text | None = doc("What the model said instead of answering.")
    image_url: Text | None = doc("Where an image is: a URL, or the image itself as a data URL.")
    file_id: Text | None = doc("An image or file that the provider already holds.")
    file_url: Text | None = doc("Where a file can be fetched.")
    file_data: Text | None = doc("A file's bytes, in base64.")
    filename: Text | None = doc("The name that the file is shown under.")
    detail: Text | None = doc("How closely the model looks at it.", "auto", "low", "high")
    annotations: Objects | None = doc("Citations and file paths inside an output text.")
    logprobs: Objects | None = doc("Log probabilities of the tokens of an output text.")
    prompt_cache_breakpoint: Object | None = doc("Ends a part of the prompt worth caching.")


def kind_of_part(value: object) -> str:
    """Which branch of AnyPart a value belongs to; what is no object is a fault of a known one."""
    kind = value.get("type") if isinstance(value, dict) else None
    return OPEN if isinstance(kind, str) and kind not in PART_TYPES else KNOWN


AnyPart = Annotated[
    Annotated[ContentPart, Tag(KNOWN)] | Annotated[Object, Tag(OPEN)],
    Discriminator(kind_of_part),
]
Content = Annotated[
    Annotated[Text, Tag(STRING)] | Annotated[ListOf[AnyPart], Tag(ARRAY)],
    Discriminator(json_type),
]
# The output of a tool is text or parts, for some tools an object, for some a list of objects.
ToolOutput = Annotated[
    Annotated[Text, Tag(STRING)]
    | Annotated[ListOf[AnyPart], Tag(ARRAY)]
    | Annotated[Object, Tag(OBJECT)],
    Discriminator(json_type),
]
