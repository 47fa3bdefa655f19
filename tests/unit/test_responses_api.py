"""A Responses API provider: what it sends, and whole answers in all their shapes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from common.errors import ProviderAnsweredError, ProviderInvalidAnswer
from common.provider_rows import ProviderRow
from common.providers.base import ProviderAnswer, ProviderRequest, UpstreamCall
from common.providers.responses_api import ResponsesApiProvider
from common.providers.transport import upstream_session
from tests.support.upstream import (
    CUT,
    HOLD,
    Upstream,
    answer,
    event,
    head,
    html_answer,
    json_answer,
    sse_answer,
    sse_head,
)

RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
EVENTS = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.completed", "response": RESPONSE},
]
KEY = "sk-very-secret"

Make = Callable[..., ResponsesApiProvider]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with upstream_session() as session:
        yield session


@pytest.fixture
def make(session: requests.Session) -> Make:
    def make(upstream: Upstream, **fields: Any) -> ResponsesApiProvider:
        fields = {"base_url": upstream.url + "/v1", "api_key": SecretStr(KEY), **fields}
        return ResponsesApiProvider("test", ProviderRow(**fields), session)

    return make


def create(provider: ResponsesApiProvider, **body: Any) -> ProviderAnswer:
    request = ProviderRequest("gpt", {"model": "gpt", "input": "hi", **body})
    return provider.create(request, UpstreamCall())


def test_the_request_is_the_body_with_an_explicit_stream_false(make: Make) -> None:
    with Upstream(json_answer(RESPONSE)) as upstream:
        create(make(upstream, headers={"X-Title": "muninn"}), new_field={"a": "ü"})
        seen = upstream.seen[0]
    assert (seen.method, seen.target) == ("POST", "/v1/responses")
    assert seen.json == {"model": "gpt", "input": "hi", "new_field": {"a": "ü"}, "stream": False}
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["x-title"] == "muninn"
    assert seen.headers["user-agent"].startswith("muninn/")
    assert seen.head.lower().count(b"content-length:") == 1


def test_another_auth_header_carries_the_bare_key(make: Make) -> None:
    with Upstream(json_answer(RESPONSE)) as upstream:
        create(make(upstream, auth_header="api-key"))
        headers = upstream.seen[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


def test_without_a_key_no_credential_is_sent(make: Make) -> None:
    with Upstream(json_answer(RESPONSE)) as upstream:
        create(make(upstream, api_key=None))
        assert "authorization" not in upstream.seen[0].headers


def test_a_query_and_credentials_in_the_base_url_are_honoured(make: Make) -> None:
    with Upstream(json_answer(RESPONSE)) as upstream:
        base_url = f"http://me:pw@127.0.0.1:{upstream.port}/openai/v1?api-version=preview"
        create(make(upstream, base_url=base_url, api_key=None))
        seen = upstream.seen[0]
    assert seen.target == "/openai/v1/responses?api-version=preview"
    assert seen.headers["authorization"] == "Basic bWU6cHc="
    assert seen.headers["host"] == f"127.0.0.1:{upstream.port}"


def test_white_space_around_a_key_is_dropped(make: Make) -> None:
    with Upstream(json_answer(RESPONSE)) as upstream:
        create(make(upstream, api_key=SecretStr(KEY + "\n")))
        assert upstream.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": SecretStr("sk-one\r\nevil: yes")},
        {"api_key": SecretStr("sk-ключ")},
    ],
)
def test_a_row_that_http_cannot_send_is_refused_without_its_value(
    make: Make, fields: dict[str, Any]
) -> None:
    wrong = "provider test: its base_url, key or headers"
    with Upstream() as upstream, pytest.raises(ValueError, match=wrong) as caught:
        make(upstream, **fields)
    assert "one" not in str(caught.value)


def test_a_whole_answer_keeps_its_bytes_and_the_headers_clients_use(make: Make) -> None:
    headers = {
        "X-Request-Id": "req_1",
        "x-ratelimit-remaining-tokens": "5",
        "openai-processing-ms": "12",
        "openai-organization": "ours",
        "set-cookie": "a=b",
    }
    with Upstream(json_answer(RESPONSE, headers=headers)) as upstream:
        answered = create(make(upstream))
    assert answered.body == RESPONSE
    assert answered.raw == json.dumps(RESPONSE).encode()
    assert answered.headers == {
        "x-request-id": "req_1",
        "x-ratelimit-remaining-tokens": "5",
        "openai-processing-ms": "12",
    }


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(sse_answer(EVENTS), id="named"),
        pytest.param(sse_answer(EVENTS, named=False), id="unnamed"),
        pytest.param([sse_head(), event(EVENTS[1]), HOLD], id="kept open after the end"),
        pytest.param(
            answer(b"event: x\ndata: {}\n\ndata: " + json.dumps(EVENTS[1]).encode() + b"\n\n"),
            id="no content type",
        ),
    ],
)
def test_a_stream_that_nobody_asked_for_is_gathered(make: Make, step: Any) -> None:
    with Upstream(step) as upstream:
        answered = create(make(upstream))
    assert answered.body == RESPONSE
    assert json.loads(answered.raw) == RESPONSE


def test_an_unasked_stream_that_is_cut_is_an_invalid_answer(make: Make) -> None:
    with (
        Upstream([sse_head(), event(EVENTS[0]), CUT]) as upstream,
        pytest.raises(ProviderInvalidAnswer, match="cut"),
    ):
        create(make(upstream))


def test_an_unasked_stream_that_tells_an_error_raises_it(make: Make) -> None:
    told = {"type": "error", "error": {"message": "too many", "code": "rate_limit_exceeded"}}
    with (
        Upstream(sse_answer([told])) as upstream,
        pytest.raises(ProviderAnsweredError, match="too many") as caught,
    ):
        create(make(upstream))
    assert (caught.value.code, caught.value.status) == ("rate_limit_exceeded", 429)


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}])
def test_json_is_taken_whatever_its_content_type(make: Make, headers: dict[str, str]) -> None:
    with Upstream(answer(json.dumps(RESPONSE).encode(), headers=headers)) as upstream:
        assert create(make(upstream)).body == RESPONSE


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (answer(b""), "is empty"),
        (head(status=204), "is empty"),
        (answer(b"OK, thanks"), "not JSON but text: OK, thanks"),
        (html_answer("<html><title>Sign in</title>…</html>"), "an HTML page: Sign in"),
        (answer(b"[1]"), "not an object"),
        (json_answer({"choices": []}), "no output"),
        (answer(b'{"output": ["\xff"]}'), "not JSON"),
    ],
)
def test_a_200_that_is_no_response_is_an_invalid_answer(
    make: Make, step: bytes, message: str
) -> None:
    with Upstream(step) as upstream, pytest.raises(ProviderInvalidAnswer, match=message) as caught:
        create(make(upstream))
    assert not caught.value.retryable


def test_a_failed_response_is_an_answer_and_no_error(make: Make) -> None:
    failed = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    with Upstream(json_answer(failed)) as upstream:
        assert create(make(upstream)).body == failed


@pytest.mark.parametrize(
    ("error", "status"), [({"code": 429, "message": "slow down"}, 429), ({"message": "oh"}, 502)]
)
def test_a_200_that_tells_an_error_is_that_error(
    make: Make, error: dict[str, Any], status: int
) -> None:
    with (
        Upstream(json_answer({"error": error})) as upstream,
        pytest.raises(ProviderAnsweredError) as caught,
    ):
        create(make(upstream))
    assert (caught.value.status, caught.value.message) == (status, error["message"])


def test_a_redirect_is_an_invalid_answer_that_names_the_place(make: Make) -> None:
    location = {"location": "https://me:pw@other.example/v1/responses?token=x"}
    with Upstream(answer(b"moved", status=308, headers=location)) as upstream:
        with pytest.raises(ProviderInvalidAnswer) as caught:
            create(make(upstream))
        assert len(upstream.seen) == 1
    assert "https://other.example/v1/responses;" in caught.value.message
    assert "pw" not in caught.value.message
    assert "token" not in caught.value.message


def test_an_answer_longer_than_the_row_allows_is_refused(make: Make) -> None:
    with (
        Upstream(json_answer({**RESPONSE, "x": "y" * 5000})) as upstream,
        pytest.raises(ProviderInvalidAnswer, match="longer than 4000 bytes"),
    ):
        create(make(upstream, max_answer_bytes=4000))


def test_the_connection_is_used_again_after_answers_and_errors(make: Make) -> None:
    with Upstream(json_answer(RESPONSE), json_answer({}, status=500)) as upstream:
        provider = make(upstream)
        create(provider)
        for _ in range(2):
            with pytest.raises(ProviderAnsweredError):
                create(provider)
        assert upstream.connections == 1
