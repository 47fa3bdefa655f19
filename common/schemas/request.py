"""The body of ``POST …/responses``."""

from pydantic import Field

from common.schemas.base import Bool, Int, ListOf, Object, Open, Strings, Text, TextOrObject, doc
from common.schemas.items import TextOrItems
from common.schemas.options import SharedOptions, TextOptions
from common.schemas.tools import Tools


class StreamOptions(Open):
    """How a stream is sent."""

    include_obfuscation: Bool | None = doc("Whether the provider hides lengths with padding.")


class ContextManagement(Open):
    """What the provider does when the context grows long."""

    type: Text | None = doc("What it does.", "compaction")
    compact_threshold: Int | None = doc("The number of tokens at which it does so.")


class CreateResponse(SharedOptions):
    """A request. Fields that are not listed here go to the provider as they are."""

    model: Text = Field(
        description="`provider/model`, or a bare name for the default provider.",
        examples=["openai/gpt-5", "echo/hello"],
    )
    # Null is refused where OpenAI refuses it: None is no value here, only "not given".
    input: TextOrItems = doc("What to answer: text, or a list of items.", "Say hello.")
    instructions: Text | None = doc("What the model is told before the input.")
    tools: Tools = doc("Tools that the model may use.")
    tool_choice: TextOrObject = doc("Whether or which tool to use.", "auto", "none", "required")
    text: TextOptions = doc("The form and length of the answer's text.")
    stream: Bool | None = doc("Whether to answer with server-sent events.")
    stream_options: StreamOptions | None = doc("How they are sent.")
    context_management: ListOf[ContextManagement] | None = doc(
        "What to do when the context grows long."
    )
    prompt_cache_options: Object = doc("How the prompt is cached.")
    user: Text = doc("An older name of `safety_identifier` and `prompt_cache_key`.")
    fallbacks: Strings = doc(
        "Models to try when this one fails, each as `provider/model`; read by the gateway alone.",
        ["openai/gpt-5-mini"],
    )
