"""The answers of the echo provider: whole Response objects, made from the request."""

import time
from collections.abc import Callable
from typing import Any

from common.providers.echo_draft import Draft, draft_of, new_id
from common.providers.echo_input import Body, input_words, text_format
from common.providers.echo_script import Scripted


def answer(script: Scripted, model: str, body: Body) -> dict[str, Any]:
    """The whole Response object that ``script`` answers to ``body``.

    Raises ProviderAnsweredError (400) when the request lacks what the script needs.
    """
    created_at = int(time.time())
    draft = draft_of(script, body)
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": created_at,
        "completed_at": int(time.time()) if draft.status == "completed" else None,
        "status": draft.status,
        "model": model,
        "output": draft.output,
        "error": draft.error,
        "incomplete_details": {"reason": "max_output_tokens"} if draft.incomplete else None,
        "usage": None if draft.error else _usage(input_words(body), draft),
        **_parameters(body),
    }


def _usage(input_count: int, draft: Draft) -> dict[str, Any]:
    return {
        "input_tokens": input_count,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": draft.words,
        "output_tokens_details": {"reasoning_tokens": draft.reasoning_words},
        "total_tokens": input_count + draft.words,
    }


def _parameters(body: Body) -> dict[str, Any]:
    """The request's parameters as a response repeats them, OpenAI's defaults for the others."""
    parameters = _defaults()
    for name in parameters.keys() & body.keys():
        if body[name] is not None:
            parameters[name] = _SHOWN[name](body[name]) if name in _SHOWN else body[name]
    return parameters


def _defaults() -> dict[str, Any]:
    return {
        "background": False,
        "conversation": None,
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
        "metadata": {},
    }


def _shown_text(text: Any) -> Any:
    shown = _filled(text, format={"type": "text"}, verbosity="medium")
    if text_format({"text": shown}).get("type") == "json_schema":
        shown["format"] = _filled(shown["format"], description=None, strict=False)
    return shown


def _shown_tools(tools: Any) -> Any:
    return [_shown_tool(tool) for tool in tools] if isinstance(tools, list) else tools


def _shown_tool(tool: Any) -> Any:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return _filled(tool, description=None, parameters=None, strict=None)


def _filled(given: Any, **defaults: Any) -> Any:
    """The object with defaults for the fields it lacks."""
    return {**defaults, **given} if isinstance(given, dict) else given


# The parameters that a response writes more fully than the request does.
_SHOWN: dict[str, Callable[[Any], Any]] = {
    "conversation": lambda given: {"id": given} if isinstance(given, str) else given,
    "reasoning": lambda given: _filled(given, effort=None, summary=None),
    "service_tier": lambda given: "default" if given == "auto" else given,
    "text": _shown_text,
    "tools": _shown_tools,
}
