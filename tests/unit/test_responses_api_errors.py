"""Errors as real servers tell them."""

import json
from collections.abc import Iterator
from email.utils import formatdate
from time import time
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from common.errors import ProviderAnsweredError
from common.provider_rows import ProviderRow
from common.providers.base import ProviderRequest, UpstreamCall
from common.providers.faults import fault_in
from common.providers.masking import Mask
from common.providers.responses_api import ResponsesApiProvider
from common.providers.transport import upstream_session
from tests.support.upstream import CUT, Upstream, answer, head, html_answer, json_answer

KEY = "sk-very/secret"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with upstream_session() as session:
        yield session


def error_of(
    session: requests.Session, step: Any, *, stream: bool = False
) -> ProviderAnsweredError:
    with Upstream(step) as upstream:
        row = ProviderRow(
            base_url=upstream.url,
            api_key=SecretStr(KEY),
            headers={"x-gateway-token": "Token abcdef", "x-title": "muninn"},
        )
        provider = ResponsesApiProvider("test", row, session)
        ask = provider.stream if stream else provider.create
        with pytest.raises(ProviderAnsweredError) as caught:
            ask(ProviderRequest("m", {"model": "m"}), UpstreamCall())
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_in_openai_words_is_passed_on(session: requests.Session, stream: bool) -> None:
    told = {"message": "No such model.", "type": "t", "code": "model_not_found", "param": "model"}
    headers = {"x-request-id": "req_1"}
    error = error_of(
        session, json_answer({"error": told}, status=404, headers=headers), stream=stream
    )
    assert (error.status, error.message) == (404, "No such model.")
    assert (error.type, error.code, error.param) == ("t", "model_not_found", "model")
    assert error.headers == {"x-request-id": "req_1"}
    assert error.raw == {"error": told}
    assert not error.retryable
    assert not error.by_gateway


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        ({"error": "model not loaded"}, "model not loaded", None, None),
        ({"error": {"message": "m", "code": 400}}, "m", "400", None),
        ({"error": {"message": "m"}, "code": "top"}, "m", "top", None),
        ({"detail": "Not Found"}, "Not Found", None, None),
        ({"detail": {"error": {"message": "deep", "code": "c"}}}, "deep", "c", None),
        (
            {"detail": [{"loc": ["body", "input", 0], "msg": "Field required", "type": "missing"}]},
            "input.0: Field required",
            None,
            "input.0",
        ),
        ({"object": "error", "message": "m", "code": 40001}, "m", "40001", None),
        ([{"error": {"message": "listed", "code": 429}}], "listed", "429", None),
        ("just text", "just text", None, None),
        ({"error": {"code": "c"}}, "The provider gave no message with its error.", "c", None),
    ],
)
def test_every_shape_of_an_error_is_understood(
    body: Any, message: str, code: str | None, param: str | None
) -> None:
    fault = fault_in(json.dumps(body).encode(), Mask())
    assert fault
    assert (fault.message, fault.code, fault.param) == (message, code, param)


def test_plain_text_is_the_message_and_is_kept_short(session: requests.Session) -> None:
    error = error_of(session, answer(b"upstream\n  connect error " + b"x" * 5000, status=503))
    assert error.message.startswith("upstream connect error xxx")
    assert len(error.message) <= 300
    assert error.retryable


def test_of_an_html_page_only_the_title_is_told(session: requests.Session) -> None:
    page = "<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>secrets</body>"
    error = error_of(session, html_answer(page, status=502))
    assert error.message == (
        "The provider answered 502 (Bad Gateway) with an HTML page: 502 Bad Gateway"
    )


def test_a_page_without_title_is_told_without_its_tags(session: requests.Session) -> None:
    page = "<html><style>p {}</style><p>It &amp; we<br>broke</p><script>evil()</script></html>"
    error = error_of(session, html_answer(page, status=500))
    assert error.message.endswith("an HTML page: It & we broke")


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b"null", b'{"error": null}'])
def test_an_error_without_a_message_gets_one(session: requests.Session, body: bytes) -> None:
    error = error_of(session, answer(body, status=529))
    assert error.message == "The provider answered 529 without a message."


def test_an_error_counts_even_if_its_body_is_cut(session: requests.Session) -> None:
    error = error_of(session, [head({"content-length": "99"}, status=429), b"{", CUT])
    assert error.status == 429
    assert "429 (Too Many Requests)" in error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_from_the_headers(
    session: requests.Session, headers: dict[str, str], seconds: float | None
) -> None:
    error = error_of(session, json_answer({"error": "slow"}, status=429, headers=headers))
    assert error.retry_after_seconds == seconds


def test_a_date_to_wait_for_is_read_from_the_headers(session: requests.Session) -> None:
    headers = {"retry-after": formatdate(time() + 60, usegmt=True)}
    error = error_of(session, json_answer({"error": "slow"}, status=503, headers=headers))
    assert error.retry_after_seconds == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}.", "code": KEY}}),
        json.dumps({"error": f"Incorrect key {KEY}"}).replace("/", "\\/"),
        f"Incorrect key {KEY} or token abcdef",
        f"<html><title>bad {KEY}</title>",
        f"<html><title>bad {KEY.replace('/', '&#x2F;')}</title>",
    ],
)
def test_our_credentials_are_masked_in_what_a_provider_echoes(
    session: requests.Session, body: str
) -> None:
    error = error_of(session, answer(body.encode(), status=401))
    shown = f"{error.message} {error.code} {error.param} {error.raw}"
    assert "very" not in shown
    assert "abcdef" not in shown
    assert "***" in shown
