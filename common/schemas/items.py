"""Items: what a conversation is made of, in a request's ``input`` and a response's ``output``."""

from typing import Annotated

from pydantic import Discriminator, Tag

from common.schemas.base import (
    ARRAY,
    KNOWN,
    OPEN,
    STRING,
    Bool,
    Int,
    ListOf,
    Object,
    Objects,
    Open,
    Strings,
    Text,
    TextOrObject,
    doc,
    json_type,
)
from common.schemas.content import Content, ToolOutput

ITEM_TYPES = frozenset(
    {
        "additional_tools",
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "file_search_call",
        "function_call",
        "function_call_output",
        "image_generation_call",
        "item_reference",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "message",
        "program",
        "program_output",
        "reasoning",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)


class SummaryPart(Open):
    """A paragraph of a summary of the model's reasoning."""

    type: Text | None = doc("What the part is.", "summary_text")
    text: Text | None = doc("The paragraph.")


class Item(Open):
    """A message, a call of a tool, its output, or a piece of reasoning; see ``type``."""

    id: Text | None = doc("The item's id, given by the provider.")
    type: Text | None = doc(
        "What the item is; a message when missing.", "message", "function_call", "reasoning"
    )
    status: Text | None = doc("How far it is.", "in_progress", "completed", "incomplete")
    role: Text | None = doc("Who speaks.", "user", "assistant", "system", "developer")
    content: Content | None = doc("What is said: text, or a list of parts.")
    phase: Text | None = doc("Which part of its turn a message is.", "commentary", "final_answer")
    call_id: Text | None = doc("Joins a call of a tool with its output.")
    name: Text | None = doc("The tool that is called.")
    namespace: Text | None = doc("The group of tools that the called one belongs to.")
    arguments: TextOrObject | None = doc("What the tool is called with; JSON inside a string.")
    input: Text | None = doc("What a custom tool is called with, as plain text.")
    output: ToolOutput | None = doc("What the tool answered.")
    result: Text | None = doc("What came of it: an image in base64, or a program's result.")
    action: Object | None = doc("What a search, computer or shell call does.")
    actions: Objects | None = doc("What a computer call does, when it is more than one thing.")
    operation: Object | None = doc("The change that a patch makes to a file.")
    error: TextOrObject | None = doc("Why the call failed.")
    queries: Strings | None = doc("What a file search looked for.")
    results: Objects | None = doc("What a file search found.")
    code: Text | None = doc("The code that is run.")
    container_id: Text | None = doc("The container it runs in.")
    outputs: Objects | None = doc("Logs and images that the code left.")
    environment: Object | None = doc("Where a shell call runs.")
    max_output_length: Int | None = doc("The longest shell output wanted, in characters.")
    summary: ListOf[SummaryPart] | None = doc("A summary of the reasoning.")
    encrypted_content: Text | None = doc("Reasoning or history that only the provider can read.")
    tools: Objects | None = doc("Tools that a server offers or a search found.")
    server_label: Text | None = doc("The MCP server it concerns.")
    approval_request_id: Text | None = doc("The request for approval that is answered.")
    approve: Bool | None = doc("Whether the call is approved.")
    reason: Text | None = doc("Why it is approved or not.")
    pending_safety_checks: Objects | None = doc("What to look at before a computer call is made.")
    acknowledged_safety_checks: Objects | None = doc("Those of them that were looked at.")
    caller: Object | None = doc("Who made the call: the model or a program of its.")
    fingerprint: Text | None = doc("Identifies a program.")
    execution: Text | None = doc("Where a tool search runs.", "server", "client")
    created_by: Text | None = doc("Who made the item.")


def kind_of_item(value: object) -> str:
    """Which branch of AnyItem a value belongs to; what is no object is a fault of a known one."""
    kind = value.get("type") if isinstance(value, dict) else None
    return OPEN if isinstance(kind, str) and kind not in ITEM_TYPES else KNOWN


AnyItem = Annotated[
    Annotated[Item, Tag(KNOWN)] | Annotated[Object, Tag(OPEN)],
    Discriminator(kind_of_item),
]
Items = ListOf[AnyItem]
TextOrItems = Annotated[
    Annotated[Text, Tag(STRING)] | Annotated[Items, Tag(ARRAY)], Discriminator(json_type)
]
