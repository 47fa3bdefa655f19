"""The short way around Flask's dispatch answers as the long way does."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from api.app import PREFIXES, create_app
from common.bootstrap import build_services
from common.settings import load_settings
from tests.support.stored_jobs import DONE, claimed, submitted


@pytest.fixture
def app(store):
    return create_app(build_services(load_settings({}), store=store))


def shown(response):
    """All of an answer that does not differ from call to call."""
    headers = {name.lower(): value for name, value in response.headers if "request-id" not in name}
    body = response.get_json()
    body.pop("event_id", None)
    body.get("error", {}).pop("event_id", None)
    return response.status_code, headers | {"content-length": ""}, body


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/responses", b"[]"),
        ("POST", "/responses", b'{"model": 5}'),
        ("POST", "/responses", b'{"model": "echo/error-429", "input": "x"}'),
        ("GET", "/responses/unknown", b""),
        ("GET", "/responses/a?starting_after=x&stream=true", b""),
    ],
)
def test_both_ways_answer_the_same(app, prefix, method, path, body):
    short = app.test_client().open(prefix + path, method=method, data=body)
    # A trailing slash is forgiven by Flask and unknown to the short way.
    route, _, query = path.partition("?")
    long = app.test_client().open(f"{prefix}{route}/?{query}", method=method, data=body)
    assert shown(short) == shown(long)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "response_id", ["resp/1+2=", "a/cancel/b", "ü 1", "a?b#c;d", "a%2Fb", "~."]
)
def test_whatever_a_provider_calls_a_response_it_is_found_by_that_name(
    app, store, prefix, response_id
):
    job = submitted(store, request=b'{"model":"m","input":"hi"}')
    store.finish(claimed(store, job), replace(DONE, response_id=response_id))
    client, path = app.test_client(), f"{prefix}/responses/{quote(response_id, safe='')}"
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?stream=true").status_code == 200
    assert client.get(f"{path}/input_items").status_code == 200
    assert client.post(f"{path}/cancel").status_code == 200
    assert client.delete(path).get_json()["id"] == response_id
    assert client.get(path).get_json()["error"]["code"] == "job_not_found"


@pytest.mark.parametrize(
    "path", ["/v1//responses", "/openai//v1/responses", "/openai/v1//responses"]
)
def test_a_doubled_slash_is_an_unknown_path_and_no_redirect(app, path):
    response = app.test_client().post(path, data=b"{}")
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "not_found"


def test_a_failure_nobody_foresaw_is_a_500_that_tells_nothing(app, monkeypatch, caplog):
    monkeypatch.setattr("api.responses.parse_headers", lambda incoming: 1 / 0)
    response = app.test_client().post("/v1/responses", data=b"{}")
    assert response.status_code == 500
    assert "division" not in response.get_data(as_text=True)
    assert "unforeseen failure" in caplog.text
