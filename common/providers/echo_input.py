"""What the echo provider reads out of a request: its text, its words, its tools."""

from collections.abc import Iterator, Mapping
from typing import Any

Body = Mapping[str, Any]

# Answered when there is nothing to repeat.
GREETING = "Hello!"


def input_text(body: Body) -> str:
    """The text to repeat: the input, or the text of its last user message."""
    given = body.get("input")
    if isinstance(given, str):
        return given or GREETING
    for item in reversed(_items(body)):
        if item.get("role") == "user":
            return _text_of(item.get("content")) or GREETING
    return GREETING


def tool_output(body: Body) -> str | None:
    """The text of the last input item if it is a tool's output; None if it is not."""
    items = _items(body)
    if not items or items[-1].get("type") != "function_call_output":
        return None
    return _text_of(items[-1].get("output"))


def input_words(body: Body) -> int:
    """How many words the instructions and the whole input have; they stand for tokens."""
    return sum(len(text.split()) for text in _texts(body))


def function_tool(body: Body) -> dict[str, Any] | None:
    """The function that ``tool_choice`` names, or the first; None if there is none."""
    choice, tools = body.get("tool_choice"), body.get("tools")
    named = choice.get("name") if isinstance(choice, dict) else None
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict) and _is_function(tool, named):
            return tool
    return None


def text_format(body: Body) -> dict[str, Any]:
    """``text.format``, empty if it is not given."""
    text = body.get("text")
    given = text.get("format") if isinstance(text, dict) else None
    return given if isinstance(given, dict) else {}


def max_output_words(body: Body) -> int | None:
    """``max_output_tokens``, with words for tokens; None if it bounds nothing."""
    given = body.get("max_output_tokens")
    return given if isinstance(given, int) and given > 0 else None


def _is_function(tool: dict[str, Any], named: Any) -> bool:
    return tool.get("type") == "function" and named in (None, tool.get("name"))


def _texts(body: Body) -> Iterator[str]:
    for given in (body.get("instructions"), body.get("input")):
        if isinstance(given, str):
            yield given
    for item in _items(body):
        yield _text_of(item.get("content", item.get("output")))


def _items(body: Body) -> list[dict[str, Any]]:
    given = body.get("input")
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def _text_of(content: Any) -> str:
    """A content's text: itself, or that of its parts, one below the other."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
