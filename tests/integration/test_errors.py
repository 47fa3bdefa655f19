"""Every row of the error table, over real HTTP."""

import http.client
import json
import socket

import pytest
import requests

from tests.support.calling import check_error, post

MIB = 1024 * 1024
LONGEST = 20 * MIB


def body_of(size):
    """A valid request of exactly this many bytes."""
    empty = json.dumps({"model": "echo/hello", "input": "", "metadata": {}})
    text = json.dumps({"model": "echo/hello", "input": "x" * (size - len(empty)), "metadata": {}})
    assert len(text) == size
    return text.encode()


@pytest.mark.parametrize(
    ("raw", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"not json", "invalid_json", None),
        (b'{"model": "echo/hello", "input": "\xff\xfe"}', "invalid_json", None),
        (b'{"model": "echo/hello", "input": NaN}', "invalid_json", None),
        (b'{"model": "echo/hello"} {}', "invalid_json", None),
        (b'\xef\xbb\xbf{"model": "echo/hello", "input": "x"', "invalid_json", None),
        (b"[" * 100_000, "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"text"', "invalid_json", None),
        (b"null", "invalid_json", None),
        (b'{"model": 5}', "invalid_type", "model"),
        (b'{"model": null}', None, "model"),
        (b'{"model": "echo/hello", "input": 5}', "invalid_type", "input"),
        (b'{"model": "echo/hello", "stream": "yes"}', "invalid_type", "stream"),
        (b'{"model": "echo/hello", "temperature": "hot"}', "invalid_type", "temperature"),
        (b'{"model": "echo/hello", "tools": {}}', "invalid_type", "tools"),
        (b'{"model": "echo/hello", "metadata": []}', "invalid_type", "metadata"),
        (b'{"input": "x"}', "missing_required_parameter", "model"),
        (b"{}", "missing_required_parameter", "model"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"x_bf_async": "true"}], ids=["inline", "job"])
def test_a_bad_body_is_a_400_that_names_the_field(v1, raw, code, param, headers):
    answer = post(v1, raw=raw, **headers)
    code = code or answer.json()["error"]["code"]
    body = check_error(answer, 400, "invalid_request_error", code, param)
    assert body["is_bifrost_error"] is True
    if param:
        assert param in body["error"]["message"]


def test_a_nested_field_is_named_by_its_path(v1):
    body = {"model": "echo/hello", "tools": [{"type": "function", "name": 5}]}
    answer = post(v1, {**body, "input": "x"})
    assert answer.status_code == 400
    assert "tools" in answer.json()["error"]["param"]
    assert "name" in answer.json()["error"]["param"]


def test_an_unknown_provider_is_a_404_that_names_the_known_ones(base_url):
    answer = post(base_url, {"model": "nowhere/m", "input": "x"})
    body = check_error(answer, 404, "invalid_request_error", "model_not_found", "model")
    for name in ("echo", "upstream", "impatient", "down"):
        assert name in body["error"]["message"]


def test_a_body_of_20_mib_is_served(v1):
    answer = post(v1, raw=body_of(LONGEST))
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["output_text"]) > LONGEST - 100


def test_a_body_of_20_mib_in_chunks_is_served(v1):
    raw = body_of(LONGEST)
    pieces = (raw[start : start + MIB] for start in range(0, LONGEST, MIB))
    answer = requests.post(f"{v1}/responses", data=pieces, timeout=30)
    assert answer.status_code == 200, answer.text[:500]


@pytest.mark.parametrize("size", [LONGEST + 1, 21 * MIB])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["content-length", "chunked"])
def test_a_longer_body_is_a_413(v1, size, in_chunks):
    raw = body_of(size)
    pieces = (raw[start : start + MIB] for start in range(0, size, MIB))
    answer = requests.post(f"{v1}/responses", data=pieces if in_chunks else raw, timeout=30)
    body = check_error(answer, 413, "invalid_request_error", "request_too_large")
    assert str(LONGEST) in body["error"]["message"]


def test_a_job_too_long_is_a_413_and_leaves_nothing(v1, job_store):
    before = set(job_store.client.scan_iter("muninn:*:job:*"))
    answer = post(v1, raw=body_of(21 * MIB), x_bf_async="true")
    check_error(answer, 413, "invalid_request_error", "request_too_large")
    assert set(job_store.client.scan_iter("muninn:*:job:*")) <= before


def test_the_connection_that_brought_too_much_can_be_used_again_or_is_closed(v1):
    with requests.Session() as session:
        first = session.post(f"{v1}/responses", data=body_of(21 * MIB), timeout=30)
        assert first.status_code == 413
        again = session.post(
            f"{v1}/responses", json={"model": "echo/hello", "input": "x"}, timeout=30
        )
        assert again.status_code == 200


def test_a_body_that_breaks_off_harms_nobody(muninn, v1):
    with socket.create_connection(("127.0.0.1", muninn.port)) as sock:
        sock.sendall(b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert post(v1, {"model": "echo/hello", "input": "x"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/openai/v1", "/openai/v1/chat/completions", "/v1/async/responses/a/b"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_a_json_404(muninn, method, path):
    answer = requests.request(method, muninn.root + path, timeout=10)
    check_error(answer, 404, "invalid_request_error", "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/openai/v1/responses"),
        ("PUT", "/openai/responses"),
        ("DELETE", "/v1/responses"),
        ("POST", "/v1/responses/some-id"),
        ("POST", "/v1/responses/some/id"),
        ("GET", "/v1/responses/some-id/cancel"),
        ("DELETE", "/v1/responses/some/id/cancel"),
        ("POST", "/v1/responses/some-id/input_items"),
        ("PATCH", "/v1/responses/some-id"),
        ("POST", "/healthz"),
    ],
)
def test_a_wrong_method_is_a_json_405_that_says_which_are_allowed(muninn, method, path):
    answer = requests.request(method, muninn.root + path, timeout=10)
    check_error(answer, 405, "invalid_request_error", "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("value", ["yes", "2"])
@pytest.mark.parametrize(
    "header", ["x-bf-send-back-raw-request", "x-bf-send-back-raw-response", "x-bf-async"]
)
def test_a_bad_flag_header_is_a_400_that_names_it(v1, header, value):
    answer = requests.post(
        f"{v1}/responses",
        json={"model": "echo/hello", "input": "x"},
        headers={header: value},
        timeout=10,
    )
    check_error(answer, 400, "invalid_request_error", "invalid_value", header)


@pytest.mark.parametrize(
    ("model", "status", "kind", "code", "by_gateway"),
    [
        ("echo/error-400", 400, "invalid_request_error", "invalid_value", False),
        ("echo/error-418", 418, "invalid_request_error", "invalid_value", False),
        ("echo/error-429", 429, "rate_limit_error", "rate_limit_exceeded", False),
        ("echo/error-500", 500, "server_error", "server_error", False),
        ("echo/error-503", 503, "server_error", "server_overloaded", False),
        ("echo/reset", 502, "provider_error", "provider_error", True),
        ("echo/cut-stream", 502, "provider_error", "provider_error", True),
        ("echo/timeout", 504, "provider_timeout", "provider_timeout", True),
    ],
)
def test_a_providers_error_says_who_was_asked_for_what(
    base_url, model, status, kind, code, by_gateway
):
    body = check_error(post(base_url, {"model": model, "input": "x"}), status, kind, code)
    assert body["is_bifrost_error"] is by_gateway
    assert body["extra_fields"] == {
        "provider": "echo",
        "model_requested": model,
        "request_type": "responses",
    }


def test_a_rate_limited_provider_says_when_to_come_again(v1):
    assert post(v1, {"model": "echo/error-429", "input": "x"}).headers["retry-after"] == "1"


def test_a_model_that_the_provider_does_not_have_is_the_providers_404(v1):
    answer = post(v1, {"model": "echo/no-such", "input": "x"})
    body = check_error(answer, 404, "invalid_request_error", "model_not_found", "model")
    assert body["is_bifrost_error"] is False


@pytest.mark.parametrize("model", ["", " "])
def test_an_empty_model_is_a_missing_one(v1, model):
    answer = post(v1, {"model": model, "input": "x"})
    check_error(answer, 400, "invalid_request_error", "missing_required_parameter", "model")


@pytest.mark.parametrize("model", ["/", "echo/", "/hello"])
def test_an_empty_part_of_a_model_name_is_refused(v1, model):
    answer = post(v1, {"model": model, "input": "x"})
    check_error(answer, 400, "invalid_request_error", "invalid_value", "model")


def test_a_failure_of_ours_tells_nothing_of_itself(muninn, v1):
    """Odd requests of every kind leave no stack trace in an answer or a log."""
    connection = http.client.HTTPConnection("127.0.0.1", muninn.port, timeout=10)
    for target in ("/openai/v1/responses/%ff%fe", "/v1/responses/a%00b", "/%2e%2e/%2e%2e/etc"):
        connection.request("GET", target)
        answer = connection.getresponse()
        assert b"Traceback" not in answer.read()
        assert answer.status in (400, 404)
    connection.close()
    for process in (*muninn.fronts, *muninn.workers):
        assert "Traceback" not in process.log_text()
