"""Every field that the reference page shows is known to the models, with the type shown."""

from typing import Any

from pydantic import BaseModel

from common.schemas import ErrorBody, Response

# fmt: off
S = "string"
PAGE_TOOL: dict[str, Any] = {
    "type": "function", "name": S, "description": S, "strict": True,
    "cache_control": {"type": "ephemeral", "ttl": S},
    "parameters": {
        "type": S, "description": S, "required": [S], "properties": {}, "enum": [S],
        "additionalProperties": True,
    },
    "vector_store_ids": [S], "filters": {}, "max_num_results": 0, "ranking_options": {},
    "display_height": 0, "display_width": 0, "environment": S, "enable_zoom": True,
    "search_context_size": S, "user_location": {}, "server_label": S, "server_url": S,
    "allowed_tools": {}, "authorization": S, "connector_id": S,
    "headers": {"property1": S, "property2": S}, "require_approval": {},
    "server_description": S, "container": {}, "background": S, "input_fidelity": S,
    "input_image_mask": {}, "moderation": S, "output_compression": 0, "output_format": S,
    "partial_images": 0, "quality": S, "size": S, "format": {},
}
PAGE_ITEM: dict[str, Any] = {
    "id": S, "type": "message", "status": "in_progress", "role": "assistant", "content": S,
    "call_id": S, "name": S, "arguments": S, "output": {}, "action": {}, "error": S,
    "queries": [S], "results": [{}], "summary": [{"type": "summary_text", "text": S}],
    "encrypted_content": S,
}
PAGE_USAGE: dict[str, Any] = {
    "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
    "input_tokens_details": {
        "text_tokens": 0, "audio_tokens": 0, "image_tokens": 0,
        "cached_read_tokens": 0, "cached_write_tokens": 0,
    },
    "output_tokens_details": {
        "text_tokens": 0, "accepted_prediction_tokens": 0, "audio_tokens": 0,
        "reasoning_tokens": 0, "rejected_prediction_tokens": 0, "citation_tokens": 0,
        "num_search_queries": 0,
    },
    "cost": {
        "input_tokens_cost": 0, "output_tokens_cost": 0, "reasoning_tokens_cost": 0,
        "citation_tokens_cost": 0, "search_queries_cost": 0, "request_cost": 0,
        "total_cost": 0,
    },
}
PAGE_EXTRA_FIELDS: dict[str, Any] = {
    "request_type": S, "provider": "openai", "model_requested": S, "model_deployment": S,
    "latency": 0, "chunk_index": 0, "raw_request": {}, "raw_response": {},
    "cache_debug": {
        "cache_hit": True, "cache_id": S, "hit_type": S, "requested_provider": S,
        "requested_model": S, "provider_used": S, "model_used": S, "input_tokens": 0,
        "threshold": 0, "similarity": 0,
    },
}
PAGE_RESPONSE: dict[str, Any] = {
    "id": S, "background": True, "conversation": {}, "created_at": 0,
    "error": {"code": S, "message": S}, "include": [S], "incomplete_details": {"reason": S},
    "instructions": {}, "max_output_tokens": 0, "max_tool_calls": 0, "metadata": {},
    "model": S, "output": [PAGE_ITEM], "parallel_tool_calls": True,
    "previous_response_id": S, "prompt": {}, "prompt_cache_key": S,
    "reasoning": {"effort": "none", "generate_summary": S, "summary": "auto", "max_tokens": 0},
    "safety_identifier": S, "service_tier": S, "status": "completed", "stop_reason": S,
    "store": True, "temperature": 0,
    "text": {
        "format": {"type": "text", "name": S, "schema": {}, "strict": True},
        "verbosity": "low",
    },
    "top_logprobs": 0, "top_p": 0, "tool_choice": "none", "tools": [PAGE_TOOL],
    "truncation": S, "usage": PAGE_USAGE, "extra_fields": PAGE_EXTRA_FIELDS,
    "search_results": [
        {"title": S, "url": S, "date": S, "last_updated": S, "snippet": S, "source": S}
    ],
    "videos": [
        {
            "url": S, "thumbnail_url": S, "thumbnail_width": 0, "thumbnail_height": 0,
            "duration": 0,
        }
    ],
    "citations": [S],
}
PAGE_ERROR: dict[str, Any] = {
    "event_id": S, "type": S, "is_bifrost_error": True, "status_code": 0,
    "error": {"type": S, "code": S, "message": S, "param": S, "event_id": S},
    "extra_fields": {"provider": "openai", "model_requested": S, "request_type": S},
}
# fmt: on


def unknown_fields(value: Any, path: str = "") -> list[str]:
    """Paths of the fields that no model declares."""
    if isinstance(value, list):
        return [found for part in value for found in unknown_fields(part, path + "[]")]
    if not isinstance(value, BaseModel):
        return []
    here = [f"{path}.{name}" for name in value.model_extra or {}]
    fields = ((name, getattr(value, name)) for name in type(value).model_fields)
    return here + [
        found for name, part in fields for found in unknown_fields(part, f"{path}.{name}")
    ]


def test_every_field_of_the_pages_response_is_typed() -> None:
    assert unknown_fields(Response.model_validate(PAGE_RESPONSE)) == []


def test_every_field_of_the_pages_error_is_typed() -> None:
    assert unknown_fields(ErrorBody.model_validate(PAGE_ERROR)) == []


def test_a_field_that_the_page_does_not_show_is_noticed_by_this_test() -> None:
    odd = PAGE_RESPONSE | {"output": [PAGE_ITEM | {"odd": 1}]}

    assert unknown_fields(Response.model_validate(odd)) == [".output[].odd"]


def test_the_page_comes_back_unchanged_from_the_models() -> None:
    shown = Response.model_validate(PAGE_RESPONSE).model_dump(by_alias=True, exclude_unset=True)

    assert shown == PAGE_RESPONSE
