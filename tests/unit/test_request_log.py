"""A request's id and its line, whatever way it takes through the front."""

import logging

import pytest

from api.app import create_app
from api.request_log import RequestLog, new_request_id, route_name
from common.bootstrap import build_services
from common.log_context import noted
from common.metrics.cells import Cells
from common.metrics.requests import ProviderTime, RequestMetrics
from common.settings import load_settings

ECHO = b'{"model": "echo/hello", "input": "hi"}'


@pytest.fixture
def app(store):
    settings = load_settings({"MUNINN_ACCESS_LOG": "true"})
    return create_app(build_services(settings, store=store))


@pytest.fixture
def client(app):
    return app.test_client()


def fields_of_line(caplog):
    (record,) = [r for r in caplog.records if r.name == "muninn.access"]
    return record.getMessage()


@pytest.mark.parametrize("path", ["/v1/responses/none", "/v1/async/responses/none", "/nowhere"])
def test_the_callers_id_is_answered_and_is_the_one_of_the_error(client, path):
    response = client.get(path, headers={"x-request-id": "mine-1"})
    assert response.status_code == 404
    assert response.headers["x-request-id"] == "mine-1"
    assert response.get_json()["event_id"] == "mine-1"
    assert "x-muninn-request-id" not in response.headers


@pytest.mark.parametrize("given", ["", " ", "a b", "ä", "x" * 129, "<script>", "a\x7f", "-x", "{}"])
def test_an_id_that_makes_no_sense_is_replaced(client, given):
    headers = {"x-request-id": given.encode().decode("latin-1")}
    answered = client.get("/healthz", headers=headers).headers["x-request-id"]
    assert answered.startswith("req_")


def test_no_two_requests_have_the_same_id():
    assert len({new_request_id() for _ in range(1000)}) == 1000


def test_beside_a_providers_id_ours_has_a_header_of_its_own(client):
    response = client.post("/v1/responses", data=ECHO, headers={"x-request-id": "mine-2"})
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["x-muninn-request-id"] == "mine-2"


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/openai/v1/responses", "/openai/v1/responses"),
        ("GET", "/v1/responses/abc", "/v1/responses/{response_id}"),
        ("POST", "/v1/responses/abc/cancel", "/v1/responses/{response_id}/cancel"),
        ("GET", "/v1/async/responses/abc", "/v1/async/responses/{job_id}"),
        ("GET", "/nowhere/abc", "none"),
    ],
)
def test_a_line_names_the_route_and_not_the_path(client, caplog, method, path, route):
    caplog.set_level(logging.INFO)
    client.open(path, method=method, data=ECHO).close()
    assert f"method={method} route={route} status=" in fields_of_line(caplog)


def test_probes_have_no_line_unless_they_fail(client, caplog, store, monkeypatch):
    caplog.set_level(logging.INFO)
    client.get("/healthz")
    client.get("/readyz")
    assert [r for r in caplog.records if r.name == "muninn.access"] == []


def test_without_the_access_log_only_a_5xx_has_a_line(store, caplog):
    caplog.set_level(logging.INFO)
    client = create_app(build_services(load_settings({}), store=store)).test_client()
    client.post("/v1/responses", data=ECHO)
    client.post("/v1/responses", data=b"{}")
    assert [r for r in caplog.records if r.name == "muninn.access"] == []
    client.post("/v1/responses", data=b'{"model": "echo/error-500", "input": "hi"}')
    assert "status=500" in fields_of_line(caplog)


def test_a_streams_line_comes_when_it_has_ended(client, caplog):
    caplog.set_level(logging.INFO)
    body = b'{"model": "echo/hello", "input": "hi", "stream": true}'
    response = client.post("/v1/responses", data=body, buffered=False)
    assert [r for r in caplog.records if r.name == "muninn.access"] == []
    assert b"response.completed" in response.get_data()
    response.close()
    assert "status=200" in fields_of_line(caplog)


def test_a_body_is_closed_and_counted_once():
    class Body:
        closed = 0

        def __iter__(self):
            yield b"x"

        def close(self):
            self.closed += 1

    inner, ended = Body(), []

    def app(environ, start):
        start("200 OK", [])
        return inner

    front = RequestLog(app, RequestMetrics(Cells(), ProviderTime()), logs_all=False)
    front._ended = ended.append
    body = front({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
    assert list(body) == [b"x"]
    body.close()
    body.close()
    assert (inner.closed, len(ended)) == (1, 1)


def test_what_is_known_of_a_job_is_in_the_line_and_forgotten_after(client, monkeypatch):
    lines = []
    monkeypatch.setattr("api.request_log.log.log", lambda *_: lines.append(dict(noted())))
    headers = {"x-bf-async": "true", "x-request-id": "r-1"}
    job_id = client.post("/v1/responses", data=ECHO, headers=headers).get_json()["id"]
    assert lines == [{"request_id": "r-1", "model": "echo/hello", "job_id": job_id}]
    assert noted() == {}


def test_a_job_keeps_the_id_of_its_request(client, store, redis_client):
    headers = {"x-bf-async": "true", "x-request-id": "r-2"}
    job_id = client.post("/v1/responses", data=ECHO, headers=headers).get_json()["id"]
    claim = store.claim(job_id, "token")
    assert b'"request_id":"r-2"' in claim.options


def test_a_route_is_shown_with_the_names_of_its_parts():
    assert route_name("/v1/x/<path:id>/y/<other>") == "/v1/x/{id}/y/{other}"
