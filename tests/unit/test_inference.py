"""The verb: what reaches the provider, and what comes back."""

import orjson
import pytest

from common.errors import ModelNotFound, ProviderTimeout
from common.inference import CallOptions
from common.providers.base import UpstreamCall
from tests.support.fakes import RESPONSE, FakeProvider, FakeStream, event, inference_on

PLAIN = CallOptions()


def created(provider, body, options=PLAIN, **aliases):
    answer = inference_on(provider, **aliases).create(body, options, UpstreamCall())
    return orjson.loads(answer.body)


def test_the_provider_gets_its_own_model_name_and_all_else_untouched():
    provider = FakeProvider()
    body = {"model": "fake/nice", "input": [{"type": "odd"}], "new": {"a": 1}}
    answer = created(provider, body, nice="vendor/nice-1")
    assert provider.requests[0].body == {**body, "model": "vendor/nice-1"}
    assert provider.requests[0].model == "vendor/nice-1"
    assert answer["extra_fields"]["model_requested"] == "fake/nice"
    assert answer["extra_fields"]["model_deployment"] == "vendor/nice-1"


@pytest.mark.parametrize("field", ["stream", "background", "fallbacks", "stream_options"])
def test_what_is_meant_for_the_gateway_does_not_pass(field):
    provider = FakeProvider()
    created(provider, {"model": "m", "input": "x", field: [] if field == "fallbacks" else True})
    assert provider.requests[0].body == {"model": "m", "input": "x"}


def test_stream_options_pass_on_a_streamed_call():
    provider = FakeProvider(FakeStream([]))
    body = {"model": "m", "stream": True, "stream_options": {"include_obfuscation": False}}
    inference_on(provider).stream(body, UpstreamCall()).close()
    assert provider.requests[0].body == {
        "model": "m",
        "stream_options": {"include_obfuscation": False},
    }


def test_raw_request_and_response_come_only_when_asked_for():
    body = {"model": "m", "input": "x"}
    assert {"raw_request", "raw_response"}.isdisjoint(created(FakeProvider(), body)["extra_fields"])
    fields = created(FakeProvider(), body, CallOptions(True, True))["extra_fields"]
    assert fields["raw_request"] == {"model": "m", "input": "x", "stream": False}
    assert fields["raw_response"] == RESPONSE


def test_options_survive_the_record():
    options = CallOptions(raw_request=True)
    assert CallOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize("verb", ["create", "stream"])
def test_a_failure_says_who_was_asked_for_what(verb):
    inference = inference_on(FakeProvider(ProviderTimeout("late")))
    options = [PLAIN] if verb == "create" else []
    with pytest.raises(ProviderTimeout) as caught:
        getattr(inference, verb)({"model": "fake/m"}, *options, UpstreamCall())
    assert (caught.value.provider, caught.value.model_requested) == ("fake", "fake/m")


def test_an_unknown_provider_is_found_before_any_call():
    provider = FakeProvider()
    with pytest.raises(ModelNotFound):
        inference_on(provider).check({"model": "nowhere/m"})
    with pytest.raises(ModelNotFound):
        created(provider, {"model": "nowhere/m"})
    assert provider.requests == []


def test_a_stream_carries_the_providers_headers_and_closes_with_it():
    stream = FakeStream([event("response.completed", response={})])
    relayed = inference_on(FakeProvider(stream)).stream({"model": "m"}, UpstreamCall())
    assert relayed.headers == {"x-request-id": "req_1"}
    relayed.close()
    assert stream.closed
