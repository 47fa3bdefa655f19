"""The short way around Flask's dispatch answers as the long way does."""

import pytest

from api.app import PREFIXES, create_app
from common.bootstrap import build_services
from common.settings import load_settings


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
