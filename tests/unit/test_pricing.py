"""What a response cost."""

import subprocess
import sys

import orjson
import pytest

from common.inference import CallOptions, Inference
from common.pricing import cost_of
from common.provider_rows import ProviderRow
from common.providers.base import UpstreamCall
from common.providers.registry import Registry
from tests.support.fakes import RESPONSE, FakeProvider, FakeStream, event, one_by_one


def openai(provider):
    """The inference verb with a fake provider that has OpenAI's name."""
    row = ProviderRow(base_url="http://fake.invalid/v1")
    return Inference(Registry({"openai": provider}, {"openai": row}, "openai"))


USAGE = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}


def test_a_known_model_has_a_price():
    cost = cost_of("openai", "gpt-4o", USAGE)
    assert cost is not None
    assert cost["total_cost"] == cost["input_tokens_cost"] + cost["output_tokens_cost"] > 0


def test_what_was_cached_costs_less():
    cached = USAGE | {"input_tokens_details": {"cached_tokens": 1_000_000}}
    full, less = cost_of("openai", "gpt-4o", USAGE), cost_of("openai", "gpt-4o", cached)
    assert less["input_tokens_cost"] < full["input_tokens_cost"]


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("echo", "hello", USAGE),
        ("openai", "no-such-model", USAGE),
        ("openai", "gpt-4o", None),
        ("openai", "gpt-4o", {}),
        ("openai", "gpt-4o", {"input_tokens": "1", "output_tokens": 1}),
        ("openai", "gpt-4o", {"input_tokens": -1, "output_tokens": 1}),
        ("openai", "gpt-4o", USAGE | {"input_tokens_details": {"cached_tokens": 10**9}}),
    ],
)
def test_where_no_price_is_known_nothing_is_said(provider, model, usage):
    assert cost_of(provider, model, usage) is None


def test_answers_and_the_last_event_of_streams_say_what_they_cost():
    body = {"model": "openai/gpt-4o", "input": "x"}
    priced = RESPONSE | {"usage": USAGE}
    whole = openai(FakeProvider(priced))
    answer = orjson.loads(whole.create(body, CallOptions(), UpstreamCall()).body)
    assert answer["usage"]["cost"]["total_cost"] > 0
    done = event("response.completed", response=priced)
    streamed = openai(FakeProvider(FakeStream([done])))
    (last,) = one_by_one(streamed.stream(body, UpstreamCall()))
    assert orjson.loads(last.data)["response"]["usage"] == answer["usage"]


def test_the_price_list_is_not_loaded_before_it_is_needed():
    code = "import sys, api.app; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
