"""The body of a response, which is also what a job looks like while it waits and runs."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from common.schemas.base import (
    ARRAY,
    OBJECT,
    STRING,
    Int,
    ListOf,
    Number,
    Object,
    Open,
    Strings,
    Text,
    TextOrObject,
    doc,
    json_type,
)
from common.schemas.extra_fields import ExtraFields
from common.schemas.items import Items
from common.schemas.options import SharedOptions, TextOptions
from common.schemas.tools import Tools
from common.schemas.usage import Usage

# A request gives text; providers give back what they made of it.
Instructions = Annotated[
    Annotated[Text, Tag(STRING)] | Annotated[Items, Tag(ARRAY)] | Annotated[Object, Tag(OBJECT)],
    Discriminator(json_type),
]


class ResponseError(Open):
    """Why a response or a job failed."""

    code: Text | None = doc("For programs.", "server_error", "worker_lost", "deadline_exceeded")
    message: Text | None = doc("For people.")


class IncompleteDetails(Open):
    """Why a response stopped early."""

    reason: Text | None = doc("The reason.", "max_output_tokens", "content_filter")


class SearchResult(Open):
    """A page that a searching model read."""

    title: Text | None = doc("Its title.")
    url: Text | None = doc("Its address.")
    date: Text | None = doc("When it was published.")
    last_updated: Text | None = doc("When it was last changed.")
    snippet: Text | None = doc("A few lines of it.")
    source: Text | None = doc("Where the result came from.", "web")


class Video(Open):
    """A video that a searching model found."""

    url: Text | None = doc("Its address.")
    thumbnail_url: Text | None = doc("The address of a small picture of it.")
    thumbnail_width: Int | None = doc("That picture's width, in pixels.")
    thumbnail_height: Int | None = doc("That picture's height, in pixels.")
    duration: Number | None = doc("Its length, in seconds.")


class Response(SharedOptions):
    """A response. ``output`` is always a list: both OpenAI SDKs break without one."""

    id: Text = Field(description="The provider's id; the job's own until the job is completed.")
    object: Literal["response"] = Field("response", description="Always `response`.")
    status: Text | None = doc(
        "How far it is.",
        "queued",
        "in_progress",
        "completed",
        "incomplete",
        "failed",
        "cancelled",
    )
    created_at: Number | None = doc("When it was made, in seconds since 1970 (UTC).")
    completed_at: Number | None = doc("When it was completed, in seconds since 1970 (UTC).")
    model: Text | None = doc("The model that answered; while a job waits, the one asked for.")
    output: Items = Field(description="What the model made, in order.")
    output_text: Text | None = doc("All the text of `output`, joined.")
    error: ResponseError | None = doc("Why it failed.")
    incomplete_details: IncompleteDetails | None = doc("Why it stopped early.")
    stop_reason: Text | None = doc("Why the model stopped, in the provider's word.", "stop")
    instructions: Instructions | None = doc("What the model was told before the input.")
    text: TextOptions | None = doc("The form and length of the answer's text.")
    tool_choice: TextOrObject | None = doc("Whether or which tool to use.", "auto", "none")
    tools: Tools | None = doc("Tools that the model could use.")
    prompt_cache_options: Object | None = doc("How the prompt is cached.")
    user: Text | None = doc("An older name of `safety_identifier`.")
    usage: Usage | None = doc("Tokens used and what they cost; null while a job waits or runs.")
    extra_fields: ExtraFields | None = doc("How the answer came to be.")
    search_results: ListOf[SearchResult] | None = doc("Pages it read.")
    videos: ListOf[Video] | None = doc("Videos it found.")
    citations: Strings | None = doc("Addresses that the text refers to.")


class DeletedResponse(Open):
    """A record is gone."""

    id: Text = Field(description="The id that was asked for.")
    object: Literal["response.deleted"] = Field(description="Always `response.deleted`.")
    deleted: Literal[True] = Field(description="Always true.")


class ItemList(Open):
    """One page of the input of a stored response."""

    object: Literal["list"] = Field(description="Always `list`.")
    data: Items = Field(description="The items.")
    first_id: Text | None = doc("The id of the first of them.")
    last_id: Text | None = doc("The id of the last of them; pass it on to read further.")
    has_more: bool = Field(description="Whether there are more.")


class StreamEvent(Open):
    """One event of a stream; its other fields depend on ``type``."""

    type: Text = Field(
        description="What happened; the `event:` line says the same.",
        examples=["response.created", "response.output_text.delta", "response.completed"],
    )
    sequence_number: Int = Field(description="Which event it is, from 0.")
    response: Response | None = doc("The response so far, in events about all of it.")
    delta: TextOrObject | None = doc("What is new, in events that bring a piece.")
    extra_fields: ExtraFields | None = doc("How the event came to be; has `chunk_index`.")
