"""``extra_fields``: what the gateway adds to an answer about how it came to be."""

from typing import Any

from common.schemas.base import Bool, Int, Number, Open, Text, doc


class CacheDebug(Open):
    """How an answer was found in a cache of answers, or why not."""

    cache_hit: Bool | None = doc("Whether it came from the cache.")
    cache_id: Text | None = doc("The entry it came from.")
    hit_type: Text | None = doc("How it was found.", "direct", "semantic")
    requested_provider: Text | None = doc("The provider asked for.")
    requested_model: Text | None = doc("The model asked for.")
    provider_used: Text | None = doc("The provider that compared meanings.")
    model_used: Text | None = doc("The model that compared meanings.")
    input_tokens: Int | None = doc("Tokens that the comparison read.")
    threshold: Number | None = doc("The likeness needed.")
    similarity: Number | None = doc("The likeness found.")


class ExtraFields(Open):
    """How an answer came to be."""

    request_type: Text | None = doc("What was asked for.", "responses")
    provider: Text | None = doc("The provider that answered.", "openai", "echo")
    model_requested: Text | None = doc("The model as the caller named it.")
    model_deployment: Text | None = doc("The model as the provider was asked for it.")
    latency: Number | None = doc("How long the provider took, in milliseconds.")
    chunk_index: Int | None = doc("Which event of a stream this is, from 0.")
    raw_request: Any = doc("What the provider was sent, if `x-bf-send-back-raw-request` asks.")
    raw_response: Any = doc("What it answered, if `x-bf-send-back-raw-response` asks.")
    attempts: Int | None = doc("How often a job without an answer was started so far.")
    next_attempt_at: Int | None = doc(
        "When (Unix time) it will be started again, while it waits for that."
    )
    cache_debug: CacheDebug | None = doc("How it was found in a cache.")


class ErrorExtraFields(Open):
    """Which call an error belongs to."""

    provider: Text | None = doc("The provider that was, or would have been, called.")
    model_requested: Text | None = doc("The model as the caller named it.")
    request_type: Text | None = doc("What was asked for.", "responses")
