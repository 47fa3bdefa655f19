"""Tools that a request offers to the model."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from common.schemas.base import (
    BOOLEAN,
    KNOWN,
    OBJECT,
    OPEN,
    Bool,
    Int,
    ListOf,
    Object,
    Objects,
    Open,
    StringMap,
    Strings,
    StringsOrObject,
    Text,
    TextOrObject,
    TextOrStrings,
    doc,
    json_type,
)

TOOL_TYPES = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "custom",
        "file_search",
        "function",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    }
)
BoolOrObject = Annotated[
    Annotated[Bool, Tag(BOOLEAN)] | Annotated[Object, Tag(OBJECT)], Discriminator(json_type)
]


class CacheControl(Open):
    """Asks a provider that caches on demand to cache up to here."""

    type: Text | None = doc("The kind of cache.", "ephemeral")
    ttl: Text | None = doc("How long to keep it.", "5m", "1h")


class ToolParameters(Open):
    """The JSON Schema of a function's arguments."""

    type: TextOrStrings | None = doc("The JSON type, or types, of the arguments.", "object")
    description: Text | None = doc("What the arguments are.")
    required: Strings | None = doc("Arguments that must be given.")
    properties: Object | None = doc("A schema for each argument.")
    enum: list[Any] | None = doc("All values allowed.")
    additionalProperties: BoolOrObject | None = doc("Whether, or which, others are allowed.")


class Tool(Open):
    """A tool; which fields it has depends on ``type``."""

    type: Text | None = doc("What the tool is.", "function", "web_search", "mcp")
    name: Text | None = doc("The name that the model calls it by.")
    description: Text | None = doc("What it is good for, written for the model.")
    cache_control: CacheControl | None = doc("Caching, where a provider wants to be asked.")
    parameters: ToolParameters | None = doc("The arguments of a function, as JSON Schema.")
    output_schema: Object | None = doc("What a function answers, as JSON Schema.")
    strict: Bool | None = doc("Whether the arguments must follow the schema exactly.")
    defer_loading: Bool | None = doc("Whether the model finds it by a tool search only.")
    allowed_callers: Strings | None = doc("Who may call it.", ["direct"], ["programmatic"])
    vector_store_ids: Strings | None = doc("Where a file search looks.")
    filters: Object | None = doc("What a file or web search leaves out.")
    max_num_results: Int | None = doc("The most results of a file search.")
    ranking_options: Object | None = doc("How a file search ranks.")
    display_height: Int | None = doc("The height of the computer's screen, in pixels.")
    display_width: Int | None = doc("The width of the computer's screen, in pixels.")
    environment: TextOrObject | None = doc("The computer's system, or where a shell runs.")
    enable_zoom: Bool | None = doc("Whether the model may zoom into the screen.")
    search_context_size: Text | None = doc("How much a search reads.", "low", "medium", "high")
    search_content_types: Strings | None = doc("What a search looks for.", ["text", "image"])
    external_web_access: Bool | None = doc("Whether a web search may leave its own index.")
    user_location: Object | None = doc("About where the user is, for nearer results.")
    server_label: Text | None = doc("The name given to an MCP server.")
    server_url: Text | None = doc("Where the MCP server is.")
    server_description: Text | None = doc("What the MCP server is good for.")
    tunnel_id: Text | None = doc("A tunnel to an MCP server without a public address.")
    allowed_tools: StringsOrObject | None = doc("Which tools of an MCP server may be called.")
    authorization: Text | None = doc("A token for the MCP server.")
    connector_id: Text | None = doc("A connector of the provider, in place of a server.")
    headers: StringMap | None = doc("Headers sent to the MCP server.")
    require_approval: TextOrObject | None = doc("Which calls wait for a yes.", "always", "never")
    container: TextOrObject | None = doc("The container that code runs in: an id, or how to make.")
    model: Text | None = doc("The model that draws images.")
    action: Text | None = doc("Whether to draw or to change an image.", "auto", "generate", "edit")
    background: Text | None = doc("An image's background.", "transparent", "opaque", "auto")
    input_fidelity: Text | None = doc("How closely to keep to images given.", "high", "low")
    input_image_mask: Object | None = doc("Which part of an image to change.")
    moderation: Text | None = doc("How strictly images are moderated.", "auto", "low")
    output_compression: Int | None = doc("How much an image is compressed, in percent.")
    output_format: Text | None = doc("The image's file format.", "png", "webp", "jpeg")
    partial_images: Int | None = doc("How many unfinished images to stream.")
    quality: Text | None = doc("The image's quality.", "low", "medium", "high", "auto")
    size: Text | None = doc("The image's size in pixels.", "1024x1024", "auto")
    format: Object | None = doc("What a custom tool takes: any text, or a grammar.")
    execution: Text | None = doc("Where a tool search runs.", "server", "client")
    tools: Objects | None = doc("The tools of a namespace.")


def kind_of_tool(value: object) -> str:
    """Which branch of AnyTool a value belongs to; what is no object is a fault of a known one."""
    kind = value.get("type") if isinstance(value, dict) else None
    return OPEN if isinstance(kind, str) and kind not in TOOL_TYPES else KNOWN


AnyTool = Annotated[
    Annotated[Tool, Tag(KNOWN)] | Annotated[Object, Tag(OPEN)],
    Discriminator(kind_of_tool),
]
Tools = ListOf[AnyTool]
