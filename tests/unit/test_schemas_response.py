"""The Response model takes what real providers send, and what the gateway itself answers."""

from typing import Any

import orjson
import pytest
from openai.types.responses import Response as OpenAIResponse
from pydantic import ValidationError

from common.schemas import DeletedResponse, ItemList, Response, StreamEvent

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [
        {
            "type": "output_text",
            "text": "Ravens remember.",
            "annotations": [
                {
                    "type": "url_citation",
                    "url": "https://example.org/ravens",
                    "title": "Ravens",
                    "start_index": 0,
                    "end_index": 6,
                }
            ],
            "logprobs": [{"token": "R", "logprob": -0.1, "bytes": [82], "top_logprobs": []}],
        },
        {"type": "refusal", "refusal": "No more than that."},
    ],
}
OUTPUT: list[dict[str, Any]] = [
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Thought of ravens."}],
        "content": [{"type": "reasoning_text", "text": "Ravens…"}],
        "encrypted_content": "gAAAA",
    },
    {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "ravens", "queries": ["ravens"]},
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "remember",
        "arguments": '{"what":"ravens"}',
    },
    {
        "id": "fs_1",
        "type": "file_search_call",
        "status": "completed",
        "queries": ["ravens"],
        "results": [{"file_id": "file_1", "score": 0.9, "attributes": {"a": 1.5}}],
    },
    {
        "id": "mcp_1",
        "type": "mcp_call",
        "server_label": "nest",
        "name": "fly",
        "arguments": "{}",
        "error": {"type": "http_error", "code": 500, "message": "no"},
    },
    MESSAGE,
]
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_790_000_000,
    "completed_at": 1_790_000_003,
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": [{"type": "message", "role": "developer", "content": "Be brief."}],
    "max_output_tokens": None,
    "metadata": {"nest": "north"},
    "model": "gpt-5",
    "output": OUTPUT,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": "low", "summary": "auto"},
    "service_tier": "default",
    "temperature": 1.0,
    "text": {
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
        "verbosity": "low",
    },
    "tool_choice": {"type": "function", "name": "remember"},
    "tools": [
        {
            "type": "function",
            "name": "remember",
            "description": None,
            "strict": True,
            "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
        },
        {"type": "web_search", "search_context_size": "low", "user_location": None},
    ],
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 30,
    },
}
ADDED_BY_THE_GATEWAY: dict[str, Any] = {
    "output_text": "Ravens remember.",
    "extra_fields": {"request_type": "responses", "provider": "openai", "latency": 812},
}
JOB: dict[str, Any] = {
    "id": "6f1c1f0e-53a3-4c5e-8e0b-2f7d9f0f2a11",
    "object": "response",
    "status": "queued",
    "created_at": 1_790_000_000,
    "model": "openai/gpt-5",
    "background": True,
    "output": [],
    "metadata": {},
    "error": None,
    "usage": None,
}


def round_trip(shown: dict[str, Any]) -> dict[str, Any]:
    return Response.model_validate(shown).model_dump(by_alias=True, exclude_unset=True)


def test_what_openais_own_types_take_in_strict_mode_the_model_takes_too() -> None:
    OpenAIResponse.model_validate_json(orjson.dumps(RESPONSE), strict=True)

    assert round_trip(RESPONSE) == RESPONSE


def test_an_answer_of_the_gateway_is_still_a_response_of_openai() -> None:
    answer = RESPONSE | ADDED_BY_THE_GATEWAY
    OpenAIResponse.model_validate_json(orjson.dumps(answer), strict=True)

    assert round_trip(answer) == answer


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_a_job_is_a_response_too(status: str) -> None:
    assert round_trip(JOB | {"status": status})["status"] == status


def test_a_failed_job_is_a_response_too() -> None:
    error = {"code": "worker_lost", "message": "The worker was lost."}

    assert round_trip(JOB | {"status": "failed", "error": error})["error"] == error


def test_unknown_fields_and_item_types_pass_everywhere() -> None:
    odd = JOB | {
        "mood": "bright",
        "output": [MESSAGE | {"mood": 1}, {"type": "dream", "content": 5}],
        "usage": {"input_tokens": 1, "feathers": 2, "cost": {"in_silver": 3}},
        "tools": [{"type": "time_machine", "name": 1985}],
    }

    assert round_trip(odd) == odd


def test_created_at_may_be_a_float() -> None:
    assert round_trip(JOB | {"created_at": 1_790_000_000.5})["created_at"] == 1_790_000_000.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"output": None},
        {"output": {}},
        {"id": 5},
        {"object": "chat.completion"},
        {"created_at": "today"},
        {"usage": {"input_tokens": "10"}},
        {"usage": {"cost": {"total_cost": "1"}}},
        {"extra_fields": {"latency": "fast"}},
        {"citations": [5]},
        {"videos": [{"duration": "long"}]},
        {"search_results": [{"url": 5}]},
        {"output": [MESSAGE | {"id": 5}]},
    ],
    ids=str,
)
def test_a_documented_field_of_a_wrong_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Response.model_validate(JOB | wrong)


@pytest.mark.parametrize("missing", ["id", "output"])
def test_a_response_has_an_id_and_an_output(missing: str) -> None:
    with pytest.raises(ValidationError):
        Response.model_validate({name: JOB[name] for name in JOB if name != missing})


def test_the_smaller_shapes_are_what_openai_documents() -> None:
    DeletedResponse.model_validate({"id": "a", "object": "response.deleted", "deleted": True})
    ItemList.model_validate(
        {"object": "list", "data": [MESSAGE], "first_id": "a", "last_id": "a", "has_more": False}
    )
    StreamEvent.model_validate(
        {"type": "response.output_text.delta", "sequence_number": 4, "delta": "Ra"}
    )
