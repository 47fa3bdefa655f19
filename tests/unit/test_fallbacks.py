"""Who is asked next when a provider fails."""

import orjson
import pytest

from common.errors import ModelNotFound, ProviderAnsweredError
from common.inference import CallOptions, Inference
from common.providers.base import UpstreamCall
from common.providers.registry import build_registry
from common.settings import load_settings
from tests.support.fakes import one_by_one


@pytest.fixture
def inference():
    return Inference(build_registry(load_settings({})))


def created(inference, model, *fallbacks):
    body = {"model": model, "input": "hi", "fallbacks": list(fallbacks)}
    return orjson.loads(inference.create(body, CallOptions(), UpstreamCall()).body)


@pytest.mark.parametrize("failing", ["error-500", "error-429", "error-401", "reset", "timeout"])
def test_the_next_one_answers_for_one_that_fails_and_the_answer_says_so(inference, failing):
    answer = created(inference, f"echo/{failing}", "echo/error-503", "echo/hello")
    assert answer["output_text"] == "hi"
    assert answer["extra_fields"]["model_requested"] == f"echo/{failing}"
    assert answer["extra_fields"]["model_deployment"] == "hello"


def test_the_last_failure_is_the_answer(inference):
    with pytest.raises(ProviderAnsweredError) as caught:
        created(inference, "echo/error-500", "echo/error-503")
    assert caught.value.status == 503


def test_a_request_that_is_at_fault_itself_is_not_sent_on(inference):
    with pytest.raises(ProviderAnsweredError) as caught:
        created(inference, "echo/error-400", "echo/hello")
    assert caught.value.status == 400


def test_a_stream_falls_back_before_its_first_event(inference):
    body = {"model": "echo/error-500", "input": "hi", "fallbacks": ["echo/hello"]}
    events = list(one_by_one(inference.stream(body, UpstreamCall())))
    assert orjson.loads(events[-1].data)["response"]["model"] == "hello"


def test_a_fallback_that_is_not_configured_is_refused_by_name(inference):
    with pytest.raises(ModelNotFound) as caught:
        inference.check({"model": "echo/hello", "fallbacks": ["echo/hello", "nope/x"]})
    assert caught.value.param == "fallbacks[1]"
