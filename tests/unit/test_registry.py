"""Which provider answers for a model name."""

from collections.abc import Iterator

import pytest

from common.errors import InvalidValue, ModelNotFound
from common.providers.echo import EchoProvider
from common.providers.registry import Registry, build_registry
from common.providers.responses_api import ResponsesApiProvider
from common.settings import SettingsError, load_settings

PROVIDERS = """{
  "openrouter": {"base_url": "http://127.0.0.1:1/v1"},
  "vllm": {"base_url": "http://127.0.0.1:2/v1",
           "models": {"small": "Qwen/Qwen3-8B", "org/big": "B"}}
}"""


@pytest.fixture
def registry() -> Iterator[Registry]:
    environ = {"MUNINN_PROVIDERS": PROVIDERS, "MUNINN_DEFAULT_PROVIDER": "vllm"}
    registry = build_registry(load_settings(environ))
    yield registry
    registry.close()


@pytest.mark.parametrize(
    ("model", "provider", "deployment"),
    [
        ("openrouter/gpt-5", "openrouter", "gpt-5"),
        ("openrouter/meta-llama/llama-3", "openrouter", "meta-llama/llama-3"),
        ("openrouter/vllm/x", "openrouter", "vllm/x"),
        ("echo/hello", "echo", "hello"),
        ("gpt-5", "vllm", "gpt-5"),
        ("small", "vllm", "Qwen/Qwen3-8B"),
        ("vllm/small", "vllm", "Qwen/Qwen3-8B"),
        ("org/big", "vllm", "B"),
        ("vllm/org/big", "vllm", "B"),
        ("openrouter/small", "openrouter", "small"),
        ("openrouter", "vllm", "openrouter"),
    ],
)
def test_a_model_name_leads_to_its_provider(
    registry: Registry, model: str, provider: str, deployment: str
) -> None:
    route = registry.resolve(model)
    assert route.provider is registry.providers[provider]
    assert (route.provider_name, route.model_deployment) == (provider, deployment)
    assert route.model_requested == model


@pytest.mark.parametrize("model", ["nobody/gpt", "org/other", "OpenRouter/x"])
def test_an_unknown_provider_is_not_found_and_the_known_are_listed(
    registry: Registry, model: str
) -> None:
    with pytest.raises(ModelNotFound, match="echo, openrouter, vllm") as caught:
        registry.resolve(model)
    assert caught.value.param == "model"


@pytest.mark.parametrize("model", ["", " ", "/", "/gpt", "openrouter/", "openrouter/ ", "nobody/"])
def test_an_empty_part_is_refused(registry: Registry, model: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        registry.resolve(model)
    assert caught.value.param == "model"


def test_providers_are_built_by_kind(registry: Registry) -> None:
    assert isinstance(registry.providers["vllm"], ResponsesApiProvider)
    assert isinstance(registry.providers["echo"], EchoProvider)


def test_without_a_key_the_default_is_echo() -> None:
    registry = build_registry(load_settings({}))
    assert registry.resolve("hello").provider_name == "echo"
    registry.close()


def test_a_row_that_cannot_be_sent_fails_at_the_start_without_the_key() -> None:
    with pytest.raises(SettingsError, match="provider openai") as caught:
        load_settings({"OPENAI_API_KEY": "sk-a\nb"})
    assert "sk-a" not in str(caught.value)
