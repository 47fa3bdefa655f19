"""Options that a request sets and its response repeats."""

from pydantic import Field

from common.schemas.base import (
    Bool,
    Int,
    Number,
    Object,
    Open,
    StringMap,
    Strings,
    Text,
    TextOrObject,
    doc,
)


class Reasoning(Open):
    """How much a model thinks, and what it shows of that."""

    effort: Text | None = doc("How much it thinks.", "none", "minimal", "low", "medium", "high")
    summary: Text | None = doc("The summary wanted.", "auto", "concise", "detailed")
    generate_summary: Text | None = doc("An older name of `summary`.")
    max_tokens: Int | None = doc("The most tokens to think with, where a provider counts so.")
    mode: Text | None = doc("How it thinks.", "standard", "pro")
    context: Text | None = doc("Which earlier reasoning it sees.", "auto", "current_turn")


class TextFormat(Open):
    """The form of the answer's text."""

    type: Text | None = doc("The form.", "text", "json_object", "json_schema")
    name: Text | None = doc("The name of the JSON Schema.")
    description: Text | None = doc("What the JSON is for, written for the model.")
    # `schema` itself is a name that pydantic's base class has taken.
    schema_: Object | None = Field(
        None, alias="schema", description="The JSON Schema that the answer follows."
    )
    strict: Bool | None = doc("Whether it must follow the schema exactly.")


class TextOptions(Open):
    """How the answer is written."""

    format: TextFormat | None = doc("Plain text, or JSON after a schema.")
    verbosity: Text | None = doc("How much is said.", "low", "medium", "high")


class Prompt(Open):
    """A prompt that is stored at the provider."""

    id: Text | None = doc("Which prompt.")
    version: Text | None = doc("Which version of it; the current one when missing.")
    variables: Object | None = doc("What to put in its placeholders.")


class SharedOptions(Open):
    """Options that may be null in a request and stand in its response with the same type."""

    background: Bool | None = doc("Whether it is answered as a job.")
    conversation: TextOrObject | None = doc("The stored conversation it belongs to.")
    include: Strings | None = doc("Extra output wanted.", ["reasoning.encrypted_content"])
    max_output_tokens: Int | None = doc("The most tokens to answer with, reasoning included.")
    max_tool_calls: Int | None = doc("The most calls of built-in tools.")
    metadata: StringMap | None = doc("Labels of your own; they are given back unchanged.")
    moderation: Object | None = doc("Moderation of what comes in and goes out.")
    parallel_tool_calls: Bool | None = doc("Whether several tools may be called at once.")
    previous_response_id: Text | None = doc("The response, or the job, that this one follows.")
    prompt: Prompt | None = doc("A stored prompt to use.")
    prompt_cache_key: Text | None = doc("Requests with the same key are likely to share a cache.")
    prompt_cache_retention: Text | None = doc("How long a cache is kept.", "in_memory", "24h")
    reasoning: Reasoning | None = doc("How much to think, and what to show of it.")
    safety_identifier: Text | None = doc("Identifies an end user without naming them.")
    service_tier: Text | None = doc("The service class.", "auto", "default", "flex", "priority")
    store: Bool | None = doc("Whether the provider keeps the response.")
    temperature: Number | None = doc("Randomness: low is steady, high is varied.", 0.7)
    top_logprobs: Int | None = doc("How many likely tokens to list at each place.")
    top_p: Number | None = doc("Leaves out the unlikely rest of the tokens.", 0.9)
    truncation: Text | None = doc("What to do with too long an input.", "auto", "disabled")
