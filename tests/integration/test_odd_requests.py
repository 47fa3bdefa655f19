"""Requests that no client library sends, over a real socket: each is answered for what it is, or
refused, and none is taken for two."""

import json

import pytest

from tests.support.calling import check_error_shape
from tests.support.raw_http import BODY, RawClient, ask, request
from tests.support.upstream import json_answer

CHUNKED = b"Transfer-Encoding: chunked"
ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"


def chunked(*headers: bytes, body: bytes = ONE_CHUNK) -> bytes:
    return request(*headers, body=body, length=None)


# What frames a body in two ways, or in one that is understood differently elsewhere.
UNCLEAR = {
    "two lengths": request(b"Content-Length: 5"),
    "a list of lengths": request(b"Content-Length: 35, 35", length=None),
    "a signed length": request(b"Content-Length: +35", length=None),
    "a negative length": request(b"Content-Length: -1", length=None),
    "a hexadecimal length": request(b"Content-Length: 0x23", length=None),
    "an endless length": request(b"Content-Length: 99999999999999999999", length=None),
    "chunked is not last": chunked(b"Transfer-Encoding: chunked, identity"),
    "no chunks": chunked(b"Transfer-Encoding: identity"),
    "nearly chunked": chunked(b"Transfer-Encoding: xchunked"),
    "hidden chunked": chunked(b"Transfer-Encoding: \x0bchunked"),
    "a space before the colon": chunked(b"Transfer-Encoding : chunked"),
    "two codings": chunked(CHUNKED, b"Transfer-Encoding: identity"),
    "a coding that nobody undoes": chunked(b"Transfer-Encoding: gzip, chunked"),
    "a chunk size that is none": chunked(CHUNKED, body=b"zz" + ONE_CHUNK[2:]),
    "a negative chunk size": chunked(CHUNKED, body=b"-1" + ONE_CHUNK[2:]),
    "an endless chunk size": chunked(CHUNKED, body=b"f" * 17 + ONE_CHUNK[2:]),
    "a chunk longer than it says": chunked(CHUNKED, body=b"5" + ONE_CHUNK[2:]),
    "a folded header": request(b"X-Odd: a\r\n b"),
    "a header with a null": request(b"X-Odd: a\x00b"),
    "a header with a lone CR": request(b"X-Odd: a\rb"),
    "a name that is none": request(b"X Odd: a"),
    "a line without a colon": request(b"X-Odd"),
}


@pytest.mark.parametrize("data", UNCLEAR.values(), ids=UNCLEAR)
def test_what_may_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(muninn, data):
    with RawClient(muninn.port) as client:
        client.send(data + SMUGGLED)
        assert client.answer().status == 400
        if b"gzip" not in data:  # that one was read whole, and the connection is in step
            assert client.is_closed()


def test_chunks_win_over_a_length_and_the_connection_ends_there(muninn):
    with RawClient(muninn.port) as client:
        client.send(request(CHUNKED, body=ONE_CHUNK, length=4) + SMUGGLED)
        assert client.answer().status == 200
        assert client.is_closed()


def test_only_the_bytes_of_a_body_are_read(muninn):
    data = request(line=b"POST /unknown HTTP/1.1") + request(
        line=b"GET /healthz HTTP/1.1", body=b""
    )
    with RawClient(muninn.port) as client:
        client.send(data)
        assert [client.answer().status, client.answer().status] == [404, 200]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(*[b"X-%d: a" % i for i in range(97)]), 200),
        (request(*[b"X-%d: a" % i for i in range(200)]), 431),
        (request(b"X-Long: " + b"a" * 50_000), 200),
        (request(b"X-Long: " + b"a" * 200_000), 431),
        (request(line=b"GET /" + b"a" * 70_000 + b" HTTP/1.1", body=b""), 414),
        (request(line=b"GET /v1/async/responses?" + b"a&" * 2000 + b" HTTP/1.1", body=b""), 400),
    ],
)
def test_heads_have_bounds(muninn, data, status):
    assert ask(muninn.port, data).status == status


@pytest.mark.parametrize(
    "line",
    [
        b"GET //evil.example/%2e%2e HTTP/1.1",
        b"GET /\\evil.example HTTP/1.1",
        b"GET /v1/async/responses/../.. HTTP/1.1",
        b"GET /v1/async/responses// HTTP/1.1",
        b"GET /docs/ HTTP/1.1",
        b"GET /v1/responses/%00 HTTP/1.1",
        b"GET /v1/responses/%0d%0aset-cookie:a HTTP/1.1",
        b"GET /v1/responses/..%2f..%2fversion HTTP/1.1",
        b"GET /v1/responses/%ff%fe HTTP/1.1",
        b"GET http://evil.example/nothing HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"TRACE /v1/responses HTTP/1.1",
        b"BREW /v1/responses HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
    ],
)
def test_no_path_and_no_method_leads_elsewhere(muninn, line):
    answer = ask(muninn.port, request(line=line, body=b""))
    assert answer.status in (200, 404, 405)
    assert not {"location", "set-cookie", "access-control-allow-origin"} & set(answer.headers)
    if answer.status >= 400:
        check_error_shape(answer.json)


def test_a_name_with_underscores_is_no_more_than_the_same_with_dashes(muninn):
    """WSGI has one name for both, so what a proxy takes out with dashes it must take out with
    underscores too. Nothing is believed because a proxy said it, so there is nothing to gain."""
    assert ask(muninn.port, request(b"X_BF_Async: true")).json["status"] == "queued"
    assert ask(muninn.port, request(b"X_Forwarded_For: a", b"Proxy: http://evil")).status == 200


def test_http_2_is_not_spoken(muninn):
    with RawClient(muninn.port) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.is_closed()


def test_answers_are_neither_kept_nor_guessed_at(muninn):
    for data in (request(), request(body=b"{"), request(line=b"GET /v1/responses/a HTTP/1.1")):
        headers = ask(muninn.port, data).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "header",
    [
        b"Origin: http://evil.example",
        b"Origin: null",
        b"Sec-Fetch-Site: cross-site",
        b"Sec-Fetch-Site: same-site",
    ],
)
def test_a_page_of_somebody_else_cannot_make_a_browser_call_an_open_gateway(muninn, header):
    """A form's content type needs no leave from us before a browser sends it."""
    answer = ask(muninn.port, request(header, b"Content-Type: text/plain"))
    assert answer.status == 403
    assert answer.json["error"]["code"] == "permission_denied"


def test_a_name_that_was_pointed_at_loopback_is_refused(muninn):
    rebound = request().replace(b"Host: 127.0.0.1", b"Host: evil.example:8080")
    assert ask(muninn.port, rebound).status == 403


def nested(depth: int) -> bytes:
    return b'{"model":"echo/hello","input":"hi","x":%b1%b}' % (b"[" * depth, b"]" * depth)


@pytest.mark.parametrize(("depth", "status"), [(100, 200), (239, 200)])
@pytest.mark.parametrize("kind", [b"X-BF-Async: false", b"X-BF-Async: true"])
def test_json_may_be_nested(muninn, depth, status, kind):
    assert ask(muninn.port, request(kind, body=nested(depth))).status == status


@pytest.mark.parametrize("depth", [240, 255, 1000, 1030, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_that_is_nested_too_deeply_is_refused(muninn, depth, opening):
    closing = b"]" if opening == b"[" else b"}"
    body = (
        b'{"model":"echo/hello","input":"hi","x":' + opening * depth + b"1" + closing * depth + b"}"
    )
    answer = ask(muninn.port, request(body=body))
    assert answer.status == 400
    assert answer.json["error"]["code"] == "invalid_json"
    check_error_shape(answer.json)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"model":"echo/hello","input":"' + b"\\ud800" + b'"}', 400),
        (b'{"model":"echo/hello","input":"\xff"}', 400),
        (b'{"model":"echo/hello","input":"\x00"}', 400),
        (b'{"model":"echo/hello","input":"\\u0000"}', 200),
        (b'{"model":"echo/hello","input":"hi","x":NaN}', 400),
        (b'{"model":"echo/hello","input":"hi","x":1e999}', 400),
        (b'{"model":"echo/hello","input":"hi","x":' + b"9" * 300 + b"}", 200),
        (b'{"model":"echo/hello","input":"hi","max_output_tokens":' + b"9" * 30 + b"}", 400),
        (b'{"model":"echo/hello","input":"hi","x":{' + b'"a":1,' * 50_000 + b'"b":1}}', 200),
        (b'{"model":"echo/hello","input":[' + b"1," * 200_000 + b"1]}", 400),
        (b'{"model":"' + b"a" * 100_000 + b'","input":"hi"}', 404),
    ],
)
def test_odd_values_are_an_error_of_the_caller_or_none_at_all(muninn, body, status):
    answer = ask(muninn.port, request(body=body))
    assert answer.status == status, answer.body[:300]


def test_of_a_key_given_twice_the_provider_sees_what_was_checked(muninn, upstream):
    response = {"id": "r", "object": "response", "status": "completed", "output": []}
    upstream.script = [json_answer(response)]
    body = b'{"model":"upstream/a","input":"hi","model":"upstream/b","stream":true,"stream":false}'
    assert ask(muninn.port, request(body=body)).status == 200
    sent = upstream.wait_for_requests(1).body
    assert sent.count(b'"model"') == sent.count(b'"stream"') == 1
    assert upstream.seen[0].json["model"] == "b"


NAMES = [
    "../../admin",
    "..%2f..%2fadmin",
    "@evil.example/v1",
    "a?b=c#d",
    "a b\r\nx-injected: 1",
    "//evil.example",
    "http://evil.example/v1",
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_a_caller_says_changes_whom_the_provider_is(muninn, upstream, name):
    response = {"id": "r", "object": "response", "status": "completed", "output": []}
    upstream.script = [json_answer(response)]
    body = json.dumps(
        {"model": f"upstream/{name}", "input": "hi", "base_url": "http://evil.example", "id": name}
    ).encode()
    headers = (b"X-BF-Base-URL: http://evil", b"Cookie: a=b", b"X-Injected: 2", b"Forwarded: for=a")
    assert ask(muninn.port, request(*headers, body=body)).status == 200
    seen = upstream.wait_for_requests(1)
    assert (seen.method, seen.target) == ("POST", "/v1/responses")
    assert seen.headers["host"] == upstream.url.removeprefix("http://")
    assert seen.json["model"] == name
    assert not {"cookie", "x-injected", "forwarded", "x-bf-base-url"} & set(seen.headers)
