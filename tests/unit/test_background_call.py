"""Jobs in their provider's own background mode: submitted once, then followed."""

import orjson
import pytest

from common.background_call import UpstreamMemory, answer_in_background, cancel_upstream
from common.errors import (
    CallAborted,
    ProviderAnsweredError,
    ProviderInvalidAnswer,
    ProviderTimeout,
    ProviderUnreachable,
)
from common.followed_stream import stream_in_background
from common.provider_rows import ProviderRow
from common.providers.background_api import BackgroundApiProvider, BackgroundProvider
from common.providers.base import ProviderAnswer, ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from common.providers.response_stream import DerivedStream
from common.providers.transport import upstream_session
from tests.support.fakes import FakeStream, event, one_by_one
from tests.support.upstream import Upstream, json_answer
from tests.support.vendor import RESPONSE, events

REQUEST = ProviderRequest("m", {"model": "m", "input": "x"})
WORKING = {**RESPONSE, "status": "in_progress", "output": []}
CUT = ProviderInvalidAnswer("cut")
GONE = ProviderAnsweredError(404, "gone")
BUSY = ProviderAnsweredError(503, "busy")


class InstantCall(UpstreamCall):
    """A call for which no time passes; it is aborted after so many pauses."""

    def __init__(self, pauses=1000):
        super().__init__()
        self.pauses = pauses

    def sleep(self, seconds):
        self.pauses -= 1
        if self.pauses == 0:
            self.abort("enough")
        self.check()


class FakeBackground:
    """Answers each verb with the next of its outcomes."""

    name = "fake"

    def __init__(self, **outcomes):
        self.outcomes = {verb: list(each) for verb, each in outcomes.items()}
        self.asked = []

    def _next(self, verb, *about):
        self.asked.append((verb, *about))
        outcome = self.outcomes[verb].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def create(self, request, call):
        raise AssertionError("not in the background")

    stream = create

    def submit(self, request, call, key):
        return answer(self._next("submit", key))

    def submit_stream(self, request, call, key):
        return self._next("submit_stream", key)

    def retrieve(self, upstream_id, call):
        return answer(self._next("retrieve", upstream_id))

    def retrieve_stream(self, upstream_id, call, after=None):
        return self._next("retrieve_stream", upstream_id, after)

    def cancel(self, upstream_id, call):
        self._next("cancel", upstream_id)

    @property
    def verbs(self):
        return [verb for verb, *_ in self.asked]


def answer(body):
    return ProviderAnswer(body, orjson.dumps(body))


def memory_of(upstream_id=None):
    written = []
    memory = UpstreamMemory("job", upstream_id, written.append)
    memory.written = written
    return memory


def ask(provider, memory, call=None):
    return answer_in_background(provider, REQUEST, call or InstantCall(), memory).body


def test_a_call_is_submitted_noted_and_asked_for_until_it_is_done():
    provider = FakeBackground(submit=[WORKING], retrieve=[WORKING, WORKING, RESPONSE])
    memory = memory_of()
    assert ask(provider, memory) == RESPONSE
    assert provider.verbs == ["submit", "retrieve", "retrieve", "retrieve"]
    assert memory.written == [memory.upstream_id] == ["resp_1"]


def test_an_id_is_noted_before_anything_else_happens():
    def refuse(upstream_id):
        raise CallAborted("lost")

    provider = FakeBackground(submit=[WORKING])
    memory = UpstreamMemory("job", None, refuse)
    with pytest.raises(CallAborted):
        ask(provider, memory)
    assert provider.verbs == ["submit"]
    assert memory.upstream_id is None


def test_a_call_that_was_noted_is_never_submitted_again():
    provider = FakeBackground(retrieve=[WORKING, RESPONSE])
    assert ask(provider, memory_of("resp_1")) == RESPONSE
    assert provider.asked[0] == ("retrieve", "resp_1")


@pytest.mark.parametrize(
    "passing",
    [BUSY, ProviderAnsweredError(429, "slow"), ProviderUnreachable("x"), ProviderTimeout("x"), CUT],
)
def test_what_may_pass_is_ridden_out(passing):
    provider = FakeBackground(submit=[WORKING], retrieve=[passing, passing, RESPONSE])
    assert ask(provider, memory_of()) == RESPONSE


def test_what_will_not_change_ends_it():
    provider = FakeBackground(submit=[WORKING], retrieve=[GONE])
    with pytest.raises(ProviderAnsweredError) as caught:
        ask(provider, memory_of())
    assert not caught.value.retryable


def test_asking_ends_when_the_call_is_aborted():
    provider = FakeBackground(submit=[WORKING], retrieve=[BUSY] * 10)
    with pytest.raises(CallAborted):
        ask(provider, memory_of(), InstantCall(pauses=4))
    assert len(provider.asked) <= 4


@pytest.mark.parametrize("upstream_id", [None, "", 5])
def test_an_answer_without_an_id_cannot_be_followed(upstream_id):
    provider = FakeBackground(submit=[{**WORKING, "id": upstream_id}])
    with pytest.raises(ProviderInvalidAnswer):
        ask(provider, memory_of())


def pieces(*places, numbered=True):
    chosen = [dict(events()[place]) for place in places]
    if not numbered:
        chosen = [{k: v for k, v in e.items() if k != "sequence_number"} for e in chosen]
    return [event(each.pop("type"), **each) for each in chosen]


ALL = range(9)


def followed(provider, memory, call=None):
    stream = stream_in_background(provider, REQUEST, call or InstantCall(), memory)
    try:
        return [None if e is None else orjson.loads(e.data) for e in one_by_one(stream)]
    finally:
        stream.close()


def kinds(told):
    return [each["type"] for each in told]


EXPECTED = [each["type"] for each in events()]


def test_a_stream_is_followed_and_its_id_noted():
    provider = FakeBackground(submit_stream=[FakeStream([None, *pieces(*ALL)])])
    memory = memory_of()
    told = followed(provider, memory)
    assert kinds(told[1:]) == EXPECTED
    assert told[0] is None
    assert memory.written == ["resp_1"]


def test_a_noted_stream_is_replayed_and_never_submitted_again():
    provider = FakeBackground(retrieve_stream=[BUSY, FakeStream(pieces(*ALL))])
    assert kinds(followed(provider, memory_of("resp_1"))) == EXPECTED
    assert provider.asked == [("retrieve_stream", "resp_1", None)] * 2


def test_a_stream_that_breaks_is_opened_where_it_broke():
    first, second, third = (
        FakeStream([*pieces(0, 1, 2), CUT]),
        FakeStream([ProviderTimeout("silent")]),
        FakeStream(pieces(*range(3, 9))),
    )
    provider = FakeBackground(submit_stream=[first], retrieve_stream=[second, BUSY, third])
    assert kinds(followed(provider, memory_of())) == EXPECTED
    assert provider.asked[1:] == [("retrieve_stream", "resp_1", 2)] * 3
    assert all(stream.closed for stream in (first, second, third))


def test_without_numbers_it_is_read_from_the_start_and_nothing_told_twice():
    first = FakeStream([*pieces(0, 1, 2, numbered=False), CUT])
    again = FakeStream(pieces(*ALL, numbered=False))
    provider = FakeBackground(submit_stream=[first], retrieve_stream=[again])
    assert kinds(followed(provider, memory_of())) == EXPECTED
    assert provider.asked[1] == ("retrieve_stream", "resp_1", None)


def test_a_stream_that_breaks_before_its_id_is_known_cannot_be_followed():
    provider = FakeBackground(submit_stream=[FakeStream([CUT])])
    with pytest.raises(ProviderInvalidAnswer):
        followed(provider, memory_of())


def test_a_stream_that_is_gone_at_the_provider_ends_it():
    broken = FakeStream([*pieces(0), CUT])
    provider = FakeBackground(submit_stream=[broken], retrieve_stream=[GONE])
    with pytest.raises(ProviderAnsweredError):
        followed(provider, memory_of())


def test_a_broken_stream_is_let_go_of_when_the_call_is_aborted():
    broken = FakeStream([*pieces(0), CUT])
    provider = FakeBackground(submit_stream=[broken], retrieve_stream=[BUSY] * 9)
    with pytest.raises(CallAborted):
        followed(provider, memory_of(), InstantCall(pauses=3))


def test_an_error_of_the_stream_is_not_yet_one_of_the_response():
    failing = FakeStream([*pieces(0, 1), event("error", message="told")])
    provider = FakeBackground(submit_stream=[failing], retrieve=[WORKING, RESPONSE])
    told = followed(provider, memory_of())
    assert kinds(told) == [*EXPECTED[:2], "response.completed"]
    assert told[-1]["response"] == RESPONSE


def test_an_error_before_the_id_is_known_is_passed_on():
    failing = FakeStream([event("error", message="told")])
    told = followed(FakeBackground(submit_stream=[failing]), memory_of())
    assert kinds(told) == ["error"]


def test_a_server_without_streams_in_the_background_is_asked_until_it_is_done():
    provider = FakeBackground(
        submit_stream=[DerivedStream(WORKING, {})], retrieve=[WORKING, RESPONSE]
    )
    memory = memory_of()
    told = followed(provider, memory)
    assert (told[0]["type"], told[-1]["type"]) == ("response.created", "response.completed")
    assert "".join(each.get("delta", "") for each in told) == "Hi you"
    assert memory.written == ["resp_1"]


def test_cancelling_that_comes_too_late_is_no_failure():
    provider = FakeBackground(cancel=[GONE])
    cancel_upstream(provider, "resp_1")
    assert provider.asked == [("cancel", "resp_1")]


def test_only_rows_that_say_so_have_a_background_mode():
    assert isinstance(FakeBackground(), BackgroundProvider)
    assert not isinstance(EchoProvider(), BackgroundProvider)


@pytest.fixture
def over_http():
    with Upstream(json_answer(RESPONSE)) as upstream:
        session = upstream_session()
        row = ProviderRow(base_url=f"{upstream.url}/v1?api-version=1", background=True)
        yield BackgroundApiProvider("up", row, session), upstream
        session.close()


def test_a_submit_asks_for_the_background_and_has_the_jobs_key(over_http):
    provider, upstream = over_http
    provider.submit(REQUEST, UpstreamCall(), "job")
    (seen,) = upstream.seen
    asked = {"background": True, "store": True, "stream": False}
    assert seen.json == {"model": "m", "input": "x", **asked}
    assert seen.headers["idempotency-key"] == "job"
    assert (seen.method, seen.target) == ("POST", "/v1/responses?api-version=1")


def test_what_is_asked_about_a_response_has_its_place_in_the_url(over_http):
    provider, upstream = over_http
    provider.retrieve("resp/1", UpstreamCall())
    provider.retrieve_stream("resp_1", UpstreamCall()).close()
    provider.retrieve_stream("resp_1", UpstreamCall(), 7).close()
    provider.cancel("resp_1", UpstreamCall())
    assert [(seen.method, seen.target) for seen in upstream.seen] == [
        ("GET", "/v1/responses/resp%2F1?api-version=1"),
        ("GET", "/v1/responses/resp_1?api-version=1&stream=true"),
        ("GET", "/v1/responses/resp_1?api-version=1&stream=true&starting_after=7"),
        ("POST", "/v1/responses/resp_1/cancel?api-version=1"),
    ]
    assert not any("idempotency-key" in seen.headers for seen in upstream.seen)
    assert upstream.seen[1].headers["accept"] == "text/event-stream"
