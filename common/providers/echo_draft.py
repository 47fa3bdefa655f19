"""What each script of the echo provider says: the output items, and how the answer ends."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import orjson

from common.providers.echo_error import openai_error
from common.providers.echo_input import (
    Body,
    function_tool,
    input_text,
    input_words,
    max_output_words,
    text_format,
    tool_output,
)
from common.providers.echo_schema import value_for
from common.providers.echo_script import Scripted
from common.providers.events import words

Item = dict[str, Any]


@dataclass(slots=True)
class Draft:
    """What a script decides; all else in the answer follows from the request."""

    output: list[Item]
    words: int
    reasoning_words: int = 0
    incomplete: bool = False
    error: dict[str, str] | None = None

    @property
    def status(self) -> str:
        if self.error:
            return "failed"
        return "incomplete" if self.incomplete else "completed"


def draft_of(script: Scripted, body: Body) -> Draft:
    """The script's draft; ProviderAnsweredError (400) when the request lacks what it needs."""
    return _DRAFTS.get(script.name, _repeated)(body, script.number)


def new_id(kind: str) -> str:
    """An id as OpenAI writes them: the kind of thing, then 48 random digits."""
    return f"{kind}_{secrets.token_hex(24)}"


def _repeated(body: Body, _number: float) -> Draft:
    return _said(input_text(body), max_output_words(body))


def _long(body: Body, number: float) -> Draft:
    said = islice(cycle(input_text(body).split() or ["echo"]), int(number))
    return _said(" ".join(said), max_output_words(body))


def _sized(body: Body, number: float) -> Draft:
    size, word = int(number) * 1024, "echo "
    return _said((word * (size // len(word) + 1))[:size], max_output_words(body))


def _incomplete(body: Body, _number: float) -> Draft:
    text = input_text(body)
    half = max(len(text.split()) // 2, 1)
    draft = _said(text, min(half, max_output_words(body) or half))
    draft.incomplete = True
    draft.output[0]["status"] = "incomplete"
    return draft


def _reasoning(body: Body, _number: float) -> Draft:
    draft = _repeated(body, 0)
    thought = f"**Reading the input**\n\nIt has {input_words(body)} words; the answer repeats them."
    summary = [{"type": "summary_text", "text": thought}]
    item: Item = {"id": new_id("rs"), "type": "reasoning", "summary": summary}
    draft.output.insert(0, item)
    draft.reasoning_words = len(thought.split())
    draft.words += draft.reasoning_words
    return draft


def _structured(body: Body, _number: float) -> Draft:
    wanted, text = text_format(body), input_text(body)
    if wanted.get("type") == "json_schema":
        return _said(_json_for(wanted.get("schema"), text, "text.format.schema"), None)
    return _said(orjson.dumps({"echo": text}).decode(), None)


def _called(body: Body, _number: float) -> Draft:
    output = tool_output(body)
    if output is not None:
        return _said(output, max_output_words(body))
    tool = function_tool(body)
    if tool is None:
        raise openai_error(
            400, "The script `function-call` needs a function in `tools`.", param="tools"
        )
    parameters = tool.get("parameters") or {"type": "object"}
    arguments = _json_for(parameters, input_text(body), "tools")
    item = {
        "id": new_id("fc"),
        "type": "function_call",
        "status": "completed",
        "call_id": new_id("call"),
        "name": str(tool.get("name")),
        "arguments": arguments,
    }
    return Draft([item], len(arguments.split()))


def _refused(body: Body, _number: float) -> Draft:
    refusal = "I'm sorry, but I was asked to refuse."
    part = {"type": "refusal", "refusal": refusal}
    return Draft([_message(part, "completed")], len(refusal.split()))


def _failed(body: Body, _number: float) -> Draft:
    error = {"code": "server_error", "message": "The echo provider was asked to fail."}
    return Draft([], 0, error=error)


def _said(text: str, limit: int | None) -> Draft:
    """A message with that text, cut after ``limit`` words."""
    count = len(text.split())
    incomplete = limit is not None and limit < count
    if incomplete:
        text, count = "".join(words(text)[:limit]), limit or 0
    status = "incomplete" if incomplete else "completed"
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return Draft([_message(part, status)], count, incomplete=incomplete)


def _message(part: Item, status: str) -> Item:
    return {
        "id": new_id("msg"),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _json_for(schema: Any, text: str, param: str) -> str:
    """JSON of a value that fits the schema; whatever is wrong with a schema is the caller's."""
    try:
        return orjson.dumps(value_for(schema, text)).decode()
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError):
        message = "The echo provider finds no value for this JSON schema."
        raise openai_error(400, message, param=param) from None


_DRAFTS: dict[str, Callable[[Body, float], Draft]] = {
    "long": _long,
    "size": _sized,
    "incomplete": _incomplete,
    "reasoning": _reasoning,
    "structured": _structured,
    "function-call": _called,
    "refusal": _refused,
    "failed": _failed,
}
