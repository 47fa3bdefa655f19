"""Whatever comes in from outside is read as it should be, or refused by one of our own errors."""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import headers
from api.foreign_pages import refuse_foreign_pages
from api.incoming import MOST_PARAMETERS, Incoming
from common.errors import MuninnError, ProviderAnsweredError, ProviderFailure, RequestError
from common.masked_settings import mask_url
from common.nesting import MAX_DEPTH, loads_shallow
from common.providers.answers import (
    answered_error,
    passed_on,
    redirected,
    response_object,
    retry_after_seconds,
)
from common.providers.masking import Mask
from common.providers.wire import Decoding, WireAnswer
from common.schemas import parse_create_request
from common.settings import Settings

fuzz = settings(deadline=None, derandomize=True, max_examples=150)

SECRET = "planted-5Ecret/+="
BODIES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "detail", "code", "type", "output", "object", "loc", "msg"]
                )
                | st.text(max_size=5),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    ).map(lambda value: json.dumps(value).encode()),
)
# As the server hands them on: latin-1 without control characters, or nothing at all.
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.sampled_from(
    [
        "true",
        "FALSE",
        "wait=5",
        "respond-async, wait=10",
        "bearer  x",
        "Bearer",
        "9" * 30,
        "http://[",
    ]
)
NAMES = [
    value for name, value in vars(headers).items() if name.isupper() and isinstance(value, str)
]
HEADERS = st.dictionaries(st.sampled_from([*NAMES, *headers.KEY_HEADERS]), VALUES, max_size=8)


def incoming(sent: dict[str, str], **environ: object) -> Incoming:
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
    return Incoming({**fields, **environ})


def outcome(call: Callable[[], Any]) -> tuple[Any, MuninnError | None]:
    """What it returns, or the one of our own errors that it raises; any other is a failure."""
    try:
        return call(), None
    except MuninnError as error:
        return None, error


@fuzz
@given(sent=HEADERS)
def test_headers_are_understood_or_refused_by_name(sent):
    request = incoming(sent)
    _, error = outcome(lambda: headers.parse_headers(request))
    assert error is None or (error.status == 400 and error.param in NAMES)
    secret = headers.credential(request)
    assert secret is None or (secret and secret == secret.strip())
    assert 1 <= headers.result_ttl_seconds(request, 10, 20) <= 20
    assert 0 <= headers.wait_seconds(request) <= headers.LONGEST_WAIT_SECONDS
    _, error = outcome(lambda: headers.idempotency_key(request))
    assert error is None or error.status == 400
    _, error = outcome(lambda: refuse_foreign_pages(request, Settings()))
    assert error is None or error.status == 403


@fuzz
@given(query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
def test_a_query_is_a_dict_of_texts(query):
    found = incoming({}, QUERY_STRING=query).query()
    assert all(isinstance(part, str) for pair in found.items() for part in pair)


def test_a_query_has_a_bound():
    assert len(incoming({}, QUERY_STRING="&".join(["a=1"] * MOST_PARAMETERS)).query()) == 1
    with pytest.raises(RequestError, match="100 parameters"):
        incoming({}, QUERY_STRING="&".join(["a=1"] * (MOST_PARAMETERS + 1))).query()


@fuzz
@given(
    data=st.binary(max_size=60),
    length=st.none() | st.integers(-5, 80).map(str) | st.text(max_size=5),
    coding=st.none() | st.sampled_from(["chunked", "Chunked", "gzip", "gzip, chunked", ""]),
    limit=st.integers(0, 40),
)
def test_a_body_is_whole_or_refused(data, length, coding, limit):
    environ = {"wsgi.input": io.BytesIO(data), "wsgi.input_terminated": True}
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    sent = {} if coding is None else {"transfer-encoding": coding}
    body, error = outcome(lambda: incoming(sent, **environ).body(limit))
    if error is None:
        assert len(body) <= limit
        assert data.startswith(body)
    else:
        assert error.status in (400, 413)


@fuzz
@given(body=BODIES)
def test_a_request_body_is_a_checked_object_or_refused(body):
    request, error = outcome(lambda: parse_create_request(body))
    assert error.status == 400 if error else "model" in request


@fuzz
@given(body=BODIES, status=st.integers(400, 999), sent=HEADERS)
def test_whatever_a_provider_says_of_an_error_is_an_error(body, status, sent):
    sent = sent | {"retry-after": sent.get("prefer", ""), "x-ratelimit-a": sent.get("origin", "")}
    error = answered_error(status, sent, body, Mask([SECRET]))
    assert isinstance(error, ProviderAnsweredError)
    assert 400 <= error.status <= 599
    assert error.message
    assert all(value.isascii() and value.isprintable() for value in error.headers.values())
    assert error.retry_after_seconds is None or error.retry_after_seconds >= 0


@fuzz
@given(body=BODIES)
def test_whatever_a_provider_answers_is_a_response_or_its_fault(body):
    response, error = outcome(lambda: response_object(body, {}, Mask()))
    assert isinstance(error, ProviderFailure) if error else isinstance(response, dict)


@fuzz
@given(before=st.text(max_size=10), after=st.text(max_size=10), wrap=st.integers(0, 3))
def test_a_secret_in_an_error_is_masked_wherever_it_stands(before, after, wrap):
    value = before + SECRET + after
    for _ in range(wrap):
        value = {"error": [value], SECRET: value}
    for body in (json.dumps({"error": value}).encode(), str(value).encode("utf-8", "replace")):
        error = answered_error(400, {}, body, Mask([SECRET]))
        shown = f"{error.message} {error.code} {error.type} {error.param} {error.raw}"
        assert SECRET not in shown


@fuzz
@given(value=VALUES | st.sampled_from(["Mon, 01 Jan 0001 00:00:00 GMT", "1e999", "-5", "nan"]))
def test_a_retry_after_is_a_time_from_now_or_none(value):
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after_seconds({name: value})
        assert seconds is None or 0 <= seconds < float("inf")
    assert redirected(302, {"location": value}).message


@fuzz
@given(sent=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=10))
def test_what_is_passed_on_is_plain(sent):
    many = {f"x-ratelimit-{n}": "1" for n in range(100)}
    found = passed_on({**sent, **many})
    assert len(found) <= 40
    assert all(value.isascii() and "\n" not in value for value in found.values())


WIRE = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early\r\n\r\n", b"HTTP/1.0 200\r\n",
            b"content-length: 5\r\n", b"content-length: 6\r\n", b"transfer-encoding: chunked\r\n",
            b"content-encoding: gzip\r\n", b"x: \x00\r\n", b"x: a\r\n b\r\n", b"\r\n", b"hello",
            b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"fffffffffffffffff\r\n",
            b"-1\r\n", b"connection: upgrade\r\nupgrade: h2c\r\n", b"\xff",
        ]
    )
    | st.binary(max_size=10),
    max_size=12,
)  # fmt: skip


@fuzz
@given(pieces=WIRE)
def test_bytes_off_the_wire_are_an_answer_or_the_providers_fault(pieces):
    answer = WireAnswer()
    for piece in pieces:
        _, error = outcome(lambda piece=piece: answer.feed(piece))
        assert error is None or isinstance(error, ProviderFailure)
        if answer.complete or error:
            break
    answer.feed_end()
    if answer.complete:
        assert 200 <= answer.status <= 999
        assert answer.take_body() in (b"", b"hello") or not answer.keep_alive or answer.headers


@fuzz
@given(
    data=st.binary(max_size=40), cut=st.integers(0, 60), coding=st.sampled_from(["gzip", "deflate"])
)
def test_a_compressed_answer_is_undone_or_the_providers_fault(data, cut, coding):
    coded = gzip.compress(data) if coding == "gzip" else zlib.compress(data)
    decoding = Decoding(coding)
    plain = decoding.feed(coded[:cut]) + decoding.feed(coded[cut:])
    decoding.check_ended()
    assert plain == data
    _, error = outcome(lambda: Decoding(coding).feed(data + coded[::-1]))
    assert error is None or isinstance(error, ProviderFailure)


letters = st.text("abcXYZ019-._~", min_size=1, max_size=12)


@fuzz
@given(user=letters, secret=letters.map(lambda text: f"S{text}S"), host=letters, name=letters)
def test_no_url_is_shown_with_its_secrets(user, secret, host, name):
    for url in (
        f"redis://{user}:{secret}@{host}/0",
        f"redis://:{secret}@{host}:6379",
        f"https://{secret}@{host}/v1",
        f"https://{host}/v1?{name}=1&api_key={secret}",
        f"rediss://{host}/0?password={secret}#f",
    ):
        shown = mask_url(url)
        assert secret not in shown.replace(f"://{user}:", "").replace(host, "").replace(name, "")


@fuzz
@given(depth=st.integers(1, 2000), opening=st.sampled_from([b"[", b'{"a":']))
def test_what_is_read_can_be_written_and_followed(depth, opening):
    closing = b"]" if opening == b"[" else b"}"
    data = opening * depth + b"1" + closing * depth
    if depth <= MAX_DEPTH:
        assert Mask(["x"]).value(loads_shallow(data)) == json.loads(data)
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - orjson's, or ours
            loads_shallow(data)
