"""What a response took: tokens and money."""

from common.schemas.base import Int, Number, Open, doc


class InputTokensDetails(Open):
    """What the tokens of the input were."""

    text_tokens: Int | None = doc("Text.")
    audio_tokens: Int | None = doc("Audio.")
    image_tokens: Int | None = doc("Images.")
    cached_read_tokens: Int | None = doc("Read from a cache.")
    cached_write_tokens: Int | None = doc("Written to a cache.")
    cached_tokens: Int | None = doc("Read from a cache, in OpenAI's words.")
    cache_write_tokens: Int | None = doc("Written to a cache, in OpenAI's words.")


class OutputTokensDetails(Open):
    """What the tokens of the output were."""

    text_tokens: Int | None = doc("Text.")
    accepted_prediction_tokens: Int | None = doc("Predicted by the caller, and right.")
    audio_tokens: Int | None = doc("Audio.")
    reasoning_tokens: Int | None = doc("Reasoning.")
    rejected_prediction_tokens: Int | None = doc("Predicted by the caller, and wrong.")
    citation_tokens: Int | None = doc("Citations.")
    num_search_queries: Int | None = doc("Searches made; a count, not tokens.")


class Cost(Open):
    """What it cost, in US dollars; there only where the price of the model is known."""

    input_tokens_cost: Number | None = doc("Of the input.")
    output_tokens_cost: Number | None = doc("Of the output.")
    reasoning_tokens_cost: Number | None = doc("Of the reasoning.")
    citation_tokens_cost: Number | None = doc("Of the citations.")
    search_queries_cost: Number | None = doc("Of the searches.")
    request_cost: Number | None = doc("Of the request as such.")
    total_cost: Number | None = doc("Of all together.")


class Usage(Open):
    """Tokens used and what they cost."""

    input_tokens: Int | None = doc("Tokens read.")
    input_tokens_details: InputTokensDetails | None = doc("What they were.")
    output_tokens: Int | None = doc("Tokens written, reasoning included.")
    output_tokens_details: OutputTokensDetails | None = doc("What they were.")
    total_tokens: Int | None = doc("Both together.")
    cost: Cost | None = doc("What they cost.")
