"""Streams as real servers send them."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from common.errors import (
    CallAborted,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.provider_rows import ProviderRow
from common.providers.base import ProviderRequest, ProviderStream, UpstreamCall
from common.providers.responses_api import ResponsesApiProvider
from common.providers.transport import upstream_session
from common.sse import SseEvent
from tests.support.fakes import one_by_one
from tests.support.upstream import (
    CUT,
    HOLD,
    Upstream,
    answer,
    chunk,
    chunked,
    event,
    head,
    html_answer,
    json_answer,
    sse_answer,
    sse_head,
)

RESPONSE = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
DELTA = {"type": "response.output_text.delta", "delta": "line\u2028 end"}
COMPLETED = {"type": "response.completed", "response": RESPONSE}
EVENTS = [CREATED, DELTA, COMPLETED]
NAMES = [b"response.created", b"response.output_text.delta", b"response.completed"]
KEY = "sk-very-secret"

Open = Callable[..., ProviderStream]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with upstream_session() as session:
        yield session


@pytest.fixture
def open_stream(session: requests.Session) -> Open:
    def open_stream(
        upstream: Upstream, call: UpstreamCall | None = None, **fields: Any
    ) -> ProviderStream:
        row = ProviderRow(base_url=upstream.url, api_key=SecretStr(KEY), **fields)
        provider = ResponsesApiProvider("test", row, session)
        request = ProviderRequest("gpt", {"model": "gpt", "stream": "?"})
        return provider.stream(request, call or UpstreamCall())

    return open_stream


def names(events: list[SseEvent | None]) -> list[bytes | None]:
    return [event and event.name for event in events]


def test_a_stream_asks_for_events_and_passes_each_on(open_stream: Open) -> None:
    with Upstream(sse_answer(EVENTS)) as upstream:
        stream = open_stream(upstream)
        events = list(one_by_one(stream))
        seen = upstream.seen[0]
    assert seen.json["stream"] is True
    assert seen.headers["accept"] == "text/event-stream"
    assert names(events) == NAMES
    assert [json.loads(each.data) for each in events if each] == EVENTS


def test_headers_that_clients_use_come_with_the_stream(open_stream: Open) -> None:
    step = [sse_head({"x-request-id": "req_1"}), event(COMPLETED), chunk(b"")]
    with Upstream(step) as upstream:
        stream = open_stream(upstream)
        stream.close()
    assert stream.headers == {"x-request-id": "req_1"}


def test_each_event_is_there_as_soon_as_it_was_sent(open_stream: Open) -> None:
    go = threading.Event()
    with Upstream([sse_head(), event(CREATED), go, event(COMPLETED), chunk(b"")]) as upstream:
        events = one_by_one(open_stream(upstream))
        assert names([next(events)]) == NAMES[:1]
        go.set()
        assert names(list(events)) == NAMES[2:]


def done(**headers: str) -> list[bytes]:
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in EVENTS)
    return chunked(events.encode() + b"data: [DONE]\n\n", headers=headers)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(sse_answer(EVENTS, named=False), id="no event lines"),
        pytest.param(done(**{"content-type": "text/event-stream"}), id="[DONE]"),
        pytest.param(done(), id="no content type"),
        pytest.param(done(**{"content-type": "text/plain"}), id="text/plain"),
        pytest.param(
            [
                sse_head(),
                *(
                    chunk(f"event: message\r\ndata:{json.dumps(each)}\r\n\r\n".encode())
                    for each in EVENTS
                ),
            ],
            id="named message, CRLF",
        ),
        pytest.param(
            [sse_head(), *(event(each) for each in EVENTS), chunk(b"data: bye\n\n")],
            id="noise after the end",
        ),
        pytest.param(
            [
                *(sse_head(), event(CREATED), event(DELTA)),
                *(chunk(f"data: {json.dumps(COMPLETED)}\n".encode()), chunk(b"")),
            ],
            id="no blank line at the end",
        ),
    ],
)
def test_every_manner_of_streaming_gives_the_same_events(open_stream: Open, step: Any) -> None:
    with Upstream([*step, HOLD]) as upstream:
        assert names(list(one_by_one(open_stream(upstream)))) == NAMES


def test_json_to_a_streamed_request_becomes_the_events_it_stands_for(open_stream: Open) -> None:
    with Upstream(json_answer(RESPONSE, headers={"x-request-id": "r"})) as upstream:
        stream = open_stream(upstream)
        events = list(one_by_one(stream))
        stream.close()
    assert names(events)[0] == b"response.created"
    assert names(events)[-1] == b"response.completed"
    assert stream.headers == {"x-request-id": "r"}


@pytest.mark.parametrize("step", [html_answer("<html>hi</html>"), answer(b""), answer(b"hello")])
def test_a_200_that_is_no_stream_raises_before_any_event(open_stream: Open, step: bytes) -> None:
    with Upstream(step) as upstream, pytest.raises(ProviderInvalidAnswer):
        open_stream(upstream)


def test_a_connection_that_dies_before_the_head_raises_before_any_event(open_stream: Open) -> None:
    with Upstream([CUT]) as upstream, pytest.raises(ProviderUnreachable):
        open_stream(upstream)


@pytest.mark.parametrize(
    "rest",
    [
        [CUT],
        [chunk(b"")],
        [event(CREATED), CUT],
        [event(CREATED), chunk(b"")],
        [event(CREATED), chunk(b'event: response.completed\ndata: {"type": "resp'), chunk(b"")],
        [event(CREATED), chunk(b"data: [DONE]\n\n"), chunk(b"")],
    ],
)
def test_a_stream_without_its_terminal_event_raises_while_it_is_read(
    open_stream: Open, rest: list[Any]
) -> None:
    with Upstream([sse_head(), *rest]) as upstream:
        stream = open_stream(upstream)
        with pytest.raises(ProviderInvalidAnswer, match="cut"):
            list(one_by_one(stream))


@pytest.mark.parametrize(
    "data",
    [
        b"data: hello\n\n",
        b"data: 5\n\n",
        b"data: {}\n\n",
        b"event: x\ndata: hello\n\n",
        b"event: response.completed\ndata: {half\n\n",
    ],
)
def test_what_is_no_event_is_an_invalid_answer(open_stream: Open, data: bytes) -> None:
    with Upstream([sse_head(), chunk(data), HOLD]) as upstream:
        stream = open_stream(upstream)
        with pytest.raises(ProviderInvalidAnswer, match="no event"):
            list(one_by_one(stream))
        assert upstream.seen[0].left.wait(5)


def test_an_event_longer_than_allowed_is_an_invalid_answer(open_stream: Open) -> None:
    with Upstream([sse_head(), chunk(b"data: " + b"x" * 3000), HOLD]) as upstream:
        stream = open_stream(upstream, max_answer_bytes=2000)
        with pytest.raises(ProviderInvalidAnswer, match="too long"):
            list(one_by_one(stream))


@pytest.mark.parametrize(
    "data",
    [
        b'event: error\ndata: {"type": "error", "error": {"message": "m", "code": "c"}}\n\n',
        b'data: {"error": {"message": "m", "code": "c"}}\n\n',
        b'data: {"type": "error", "message": "m", "code": "c", "param": null}\n\n',
    ],
)
def test_an_error_in_the_stream_is_its_end_and_has_its_fields_at_the_top(
    open_stream: Open, data: bytes
) -> None:
    with Upstream([sse_head(), chunk(data), HOLD]) as upstream:
        (told,) = list(one_by_one(open_stream(upstream)))
    assert told
    assert told.name == b"error"
    assert json.loads(told.data) == {"type": "error", "message": "m", "code": "c", "param": None}


def test_our_key_is_masked_in_an_error_of_the_stream(open_stream: Open) -> None:
    failed = {"type": "response.failed", "response": {"error": {"message": f"bad {KEY}"}}}
    with Upstream(sse_answer([failed])) as upstream:
        (told,) = list(one_by_one(open_stream(upstream)))
    assert told
    assert KEY.encode() not in told.data


def test_the_stream_ends_with_its_terminal_event_though_the_server_stays(open_stream: Open) -> None:
    with Upstream([sse_head(), event(COMPLETED), HOLD]) as upstream:
        assert names(list(one_by_one(open_stream(upstream)))) == NAMES[2:]
        assert upstream.seen[0].left.wait(5)


@pytest.mark.parametrize("reads_on", [True, False])
def test_the_connection_of_a_finished_stream_is_used_again(
    open_stream: Open, reads_on: bool
) -> None:
    with Upstream(sse_answer([COMPLETED])) as upstream:
        for _ in range(2):
            stream = open_stream(upstream)
            if reads_on:
                list(one_by_one(stream))
            else:
                next(one_by_one(stream))
            stream.close()
        assert upstream.connections == 1


def test_closing_a_stream_ends_the_upstream_call(open_stream: Open) -> None:
    with Upstream([sse_head(), event(CREATED), HOLD]) as upstream:
        stream = open_stream(upstream)
        assert names([next(one_by_one(stream))]) == NAMES[:1]
        stream.close()
        stream.close()
        assert upstream.seen[0].left.wait(5)


def test_a_stream_closed_before_it_was_read_ends_the_upstream_call(open_stream: Open) -> None:
    with Upstream([sse_head(), HOLD]) as upstream:
        open_stream(upstream).close()
        assert upstream.seen[0].left.wait(5)


def test_silence_gives_ticks_and_the_stream_goes_on(open_stream: Open) -> None:
    go = threading.Event()
    with Upstream([sse_head(), go, event(COMPLETED), chunk(b"")]) as upstream:
        events = one_by_one(open_stream(upstream, UpstreamCall(silence_seconds=0.01)))
        assert next(events) is None
        assert next(events) is None
        go.set()
        assert next(each for each in events if each).name == b"response.completed"


def test_comments_of_the_provider_do_not_put_off_the_ticks(open_stream: Open) -> None:
    pings = [piece for _ in range(20) for piece in (chunk(b": ping\n\n"), 0.01)]
    with Upstream([sse_head(), *pings, event(COMPLETED), chunk(b"")]) as upstream:
        events = list(one_by_one(open_stream(upstream, UpstreamCall(silence_seconds=0.05))))
    assert None in events
    assert names(events)[-1] == b"response.completed"


def test_silence_for_longer_than_the_read_timeout_is_a_timeout(open_stream: Open) -> None:
    call = UpstreamCall(silence_seconds=0.02)
    with Upstream([sse_head(), event(CREATED), HOLD]) as upstream:
        stream = open_stream(upstream, call, read_timeout_seconds=0.1)
        with pytest.raises(ProviderTimeout):
            list(one_by_one(stream))
        assert upstream.seen[0].left.wait(5)


def test_an_aborted_stream_raises_and_ends_the_upstream_call(open_stream: Open) -> None:
    call = UpstreamCall()
    with Upstream([sse_head(), event(CREATED), HOLD]) as upstream:
        events = one_by_one(open_stream(upstream, call))
        next(events)
        call.abort("cancelled")
        with pytest.raises(CallAborted):
            next(events)
        assert upstream.seen[0].left.wait(5)


def test_a_stream_over_http_1_0_is_read_until_the_server_closes(open_stream: Open) -> None:
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in EVENTS).encode()
    step = [head({"content-type": "text/event-stream"}), events, CUT]
    with Upstream(step) as upstream:
        assert names(list(one_by_one(open_stream(upstream)))) == NAMES
