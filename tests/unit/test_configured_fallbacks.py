"""Who stands in for a model by the settings."""

import json

import orjson
import pytest

from api.app import create_app
from common.bootstrap import build_services
from common.errors import ProviderAnsweredError
from common.fallback_rows import fallbacks_of
from common.inference import CallOptions, Inference
from common.providers.base import UpstreamCall
from common.providers.registry import build_registry
from common.settings import SettingsError, load_settings
from common.store.virtual_keys import KeyStore
from tests.support.keys import store_key

TABLE = {
    "echo/error-*": ["echo/hello"],
    "echo/error-503": ["nowhere/x", "echo/reset", "echo/slow-0s"],
    "*/timeout": ["hello", "echo/timeout"],
}
ROWS = {"nowhere": {"base_url": "http://127.0.0.1:1/v1"}}


class Front:
    def __init__(self, store):
        environ = {
            "MUNINN_FALLBACKS": json.dumps(TABLE),
            "MUNINN_PROVIDERS": json.dumps(ROWS),
            "MUNINN_DEFAULT_PROVIDER": "echo",
        }
        self.services = build_services(load_settings(environ), store=store)
        self.http = create_app(self.services).test_client()

    def post(self, model, headers=None, **fields):
        body = orjson.dumps({"model": model, "input": "hi", **fields})
        return self.http.post("/v1/responses", data=body, headers=headers)

    def virtual_key(self, **changes):
        store = self.services.store
        secret, _ = store_key(KeyStore(store.client, store.scripts), **changes)
        self.services.keyring.refresh()
        return secret

    def stored_options(self, job_id):
        store = self.services.store
        return orjson.loads(store.client.hget(store.keys.job(job_id), "options"))


@pytest.fixture
def front(store):
    return Front(store)


def served(answer):
    assert answer.status_code == 200, answer.text
    return answer.json["extra_fields"]["model_deployment"]


def test_the_configured_one_answers_and_the_answer_says_so(front):
    assert served(front.post("echo/error-500")) == "hello"


def test_the_very_name_counts_before_any_pattern(front):
    assert served(front.post("echo/error-503")) == "slow-0s"


def test_a_bare_name_is_matched_with_its_provider_and_not_sent_to_itself(front):
    answer = front.post("timeout")
    assert served(answer) == "hello"
    job = front.post("timeout", headers={"x-bf-async": "true"}).json
    assert front.stored_options(job["id"])["fallbacks"] == ["hello"]


def test_a_stream_falls_back_before_its_first_event(front):
    text = front.post("echo/error-500", stream=True).get_data(as_text=True)
    assert '"model_deployment":"hello"' in text


@pytest.mark.parametrize("given", [[], ["echo/error-429"]])
def test_what_the_request_says_wins(front, given):
    answer = front.post("echo/error-500", fallbacks=given)
    assert answer.status_code == (429 if given else 500)


def test_one_that_the_key_is_not_for_is_passed_over(front):
    secret = front.virtual_key(models=("echo/error-*", "echo/slow-*"))
    headers = {"x-bf-vk": secret}
    assert front.post("echo/error-500", headers=headers).status_code == 500
    assert served(front.post("echo/error-503", headers=headers)) == "slow-0s"
    job = front.post("echo/error-503", headers={**headers, "x-bf-async": "true"}).json
    assert front.stored_options(job["id"])["fallbacks"] == ["echo/slow-0s"]
    assert (
        front.post("echo/error-500", headers=headers, fallbacks=["echo/hello"]).status_code == 403
    )


def test_a_job_asks_those_of_its_submit_that_are_still_there(front):
    inference = Inference(build_registry(load_settings({})))
    options = CallOptions(fallbacks=("nowhere/x", "echo/hello"))
    stored = CallOptions.from_json(options.to_json())
    body = {"model": "echo/error-500", "input": "hi"}
    answer = orjson.loads(inference.create(body, stored, UpstreamCall(), attempt=1).body)
    assert answer["extra_fields"]["model_deployment"] == "hello"
    with pytest.raises(ProviderAnsweredError):
        inference.create(body, CallOptions(), UpstreamCall(), attempt=1)


def test_the_first_pattern_that_fits_counts():
    table = {"up/a*": ("one",), "up/*": ("two",), "up/ab": ("three",)}
    found = [fallbacks_of(table, "up", model) for model in ("a", "ab", "c")]
    assert found == [("one",), ("three",), ("two",)]
    assert fallbacks_of(table, "down", "a") == ()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"echo/*": ["nope/x"]}, "'echo/*': no provider 'nope'; configured: echo"),
        ({"nope/*": ["echo/x"]}, "'nope/*': no provider 'nope'; configured: echo"),
        ({"gpt-4o": ["echo/x"]}, "'gpt-4o': takes patterns such as openai/*"),
        ({"echo/*": ["echo/"]}, "'echo/*': a fallback is a model name or provider/model"),
        ({"echo/*": [""]}, "'echo/*': a fallback is a model name or provider/model"),
    ],
)
def test_what_leads_nowhere_is_refused_at_the_start(table, words):
    with pytest.raises(SettingsError) as caught:
        load_settings({"MUNINN_FALLBACKS": json.dumps(table)})
    assert str(caught.value).startswith(f"MUNINN_FALLBACKS: {words}")


@pytest.mark.parametrize("text", ["[]", '{"echo/*": "echo/hello"}', '{"echo/*": [1]}', "{"])
def test_another_form_is_refused_at_the_start(text):
    with pytest.raises(SettingsError, match=r"^MUNINN_FALLBACKS"):
        load_settings({"MUNINN_FALLBACKS": text})


def test_all_good_forms_are_taken():
    table = {"*": ["hello"], "*/x": ["echo/y", "z"], "echo/*": []}
    settings = load_settings({"MUNINN_FALLBACKS": json.dumps(table)})
    assert settings.fallbacks == {name: tuple(models) for name, models in table.items()}
