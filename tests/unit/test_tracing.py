"""Tracing: nothing of it while it is off, and what its parts do with what goes wrong."""

import contextlib
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import SpanKind

from common import tracing
from common.errors import CallAborted, ProviderAnsweredError
from common.providers.base import ProviderAnswer, ProviderRequest, UpstreamCall
from common.providers.echo import EchoProvider
from common.providers.observed import ObservedBackgroundProvider, observed
from common.settings import SettingsError, load_settings
from common.tracing.calls import traced_calls
from common.tracing.exporting import WithoutOrphans
from common.tracing.front import TracedFront
from common.tracing.posts import TracedSender
from common.tracing.spans import Spans, context_of
from common.webhooks.sender import NotDelivered, Sender

REQUEST = ProviderRequest("hello", {"model": "hello", "input": "planted-prompt"})
SECRET_URL = "https://user:planted@hooks.test/services/planted"


@pytest.fixture
def exported():
    return InMemorySpanExporter()


@pytest.fixture
def spans(exported):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    opened = Spans(provider)
    yield opened
    opened.close()


def only(exported):
    (span,) = exported.get_finished_spans()
    return span


def test_while_it_is_off_nothing_of_it_is_imported():
    # But for what redis-py takes by itself where it finds it.
    program = (
        "import sys, api.wsgi, worker.app, worker.celery_logging\n"
        "from common.settings import load_settings\n"
        "from common.bootstrap import build_services\n"
        "api.app.create_app(build_services(load_settings({})))\n"
        "ours = ('common.tracing.', 'opentelemetry.exporter', 'opentelemetry.instrumentation')\n"
        "sys.exit(any(name.startswith(ours) for name in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_without_its_packages_the_setting_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"MUNINN_TRACING: .*extra `tracing`"):
        load_settings({"MUNINN_TRACING": "true"})
    assert load_settings({}).tracing is False


def test_while_it_is_off_its_functions_do_nothing():
    tracing.start_tracing(load_settings({}), "front")
    tracing.outcome("completed")
    with tracing.attempt("j", 1, None), tracing.delivery("j", lambda: pytest.fail("asked")):
        assert tracing.traceparent() is None
    sender = Sender(1, allow_private=False)
    assert tracing.traced_sender(sender) is sender
    assert tracing.traced_front(len, "route", ()) is len
    tracing.stop_tracing()


def test_a_trace_goes_on_in_another_process(spans, exported):
    with spans.attempt("j", 1, None):
        handed_on = spans.traceparent()
    with spans.delivery("j", handed_on):
        pass
    first, second = exported.get_finished_spans()
    assert second.context.trace_id == first.context.trace_id
    assert second.parent.span_id == first.context.span_id


@pytest.mark.parametrize("nonsense", [None, "", "00-xyz", "00-0-0-01", "\x00" * 60])
def test_a_traceparent_that_leads_nowhere_begins_a_new_trace(spans, exported, nonsense):
    with spans.attempt("j", 1, nonsense):
        pass
    assert only(exported).parent is None
    assert context_of(nonsense) == {}


def test_an_attempt_says_how_it_ended_and_not_what_was_said(spans, exported):
    def failing():
        with spans.attempt("j", 2, None):
            spans.outcome("failed", "their_code")
            raise ValueError("planted-text")

    with pytest.raises(ValueError, match="planted"):
        failing()
    span = only(exported)
    assert span.attributes["muninn.outcome"] == "failed"
    assert span.attributes["error.type"] == "their_code"
    assert not span.status.is_ok
    assert "planted" not in span.to_json()


def test_a_call_says_what_it_used(spans, exported):
    observed(EchoProvider("echo"), traced_calls(spans.tracer)).create(REQUEST, UpstreamCall())
    span = only(exported)
    assert (span.name, span.kind) == ("chat hello", SpanKind.CLIENT)
    assert span.attributes["gen_ai.usage.input_tokens"] == 1
    assert "planted-prompt" not in span.to_json()


def test_a_stream_that_is_left_early_ends_its_span(spans, exported):
    provider = observed(EchoProvider("echo"), traced_calls(spans.tracer))
    stream = provider.stream(REQUEST, UpstreamCall())
    next(iter(stream))
    assert exported.get_finished_spans() == ()
    stream.close()
    stream.close()
    assert [event.name for event in only(exported).events] == ["first event"]


class Background:
    """A provider with a background mode that does what it is told to."""

    name = "vendor"
    with_more = "kept"

    def __init__(self, outcome):
        self.outcome = outcome

    def _answer(self, *_, **__):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    create = stream = submit = submit_stream = retrieve = retrieve_stream = cancel = _answer


@pytest.mark.parametrize("whole", [True, False])
def test_a_failure_is_told_by_its_code_alone(spans, exported, whole):
    failure = ProviderAnsweredError(429, "planted: you said …", code="slow_down")
    provider = observed(Background(failure), traced_calls(spans.tracer))
    with pytest.raises(ProviderAnsweredError):
        (provider.submit if whole else provider.submit_stream)(REQUEST, UpstreamCall(), "key")
    span = only(exported)
    assert span.attributes["error.type"] == "slow_down"
    assert span.attributes["http.response.status_code"] == 429
    assert "planted" not in span.to_json()


def test_a_call_that_we_closed_is_no_failure(spans, exported):
    provider = observed(Background(CallAborted("lost")), traced_calls(spans.tracer))
    with pytest.raises(CallAborted):
        provider.create(REQUEST, UpstreamCall())
    span = only(exported)
    assert (span.attributes["muninn.closed"], span.status.is_unset) == ("lost", True)


def test_a_background_provider_stays_one(spans, exported):
    answer = ProviderAnswer({"id": "r", "usage": None}, b"{}")
    provider = observed(Background(answer), traced_calls(spans.tracer))
    assert isinstance(provider, ObservedBackgroundProvider)
    assert provider.retrieve("r", UpstreamCall()) is answer
    assert only(exported).name == "retrieve response"
    assert provider.with_more == "kept"


class Receiver(Sender):
    """A sender that delivers nothing."""

    def __init__(self, outcome):
        self.timeout_seconds = 1.0
        self.outcome = outcome
        self.headers = {}

    def post(self, url, body, headers):
        self.headers = headers
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize("outcome", [204, 500, NotDelivered("timeout")])
def test_a_post_never_shows_its_url(spans, exported, outcome):
    receiver = Receiver(outcome)
    with contextlib.suppress(NotDelivered):
        TracedSender(receiver, spans.tracer).post(SECRET_URL, b"{}", {"a": "b"})
    span = only(exported)
    assert span.attributes["server.address"] == "hooks.test"
    assert "planted" not in span.to_json()
    assert span.status.is_ok is (outcome == 204)
    assert receiver.headers.keys() == {"a", "traceparent"}


def test_calls_that_nobody_asked_for_are_left_out(spans):
    sampler = WithoutOrphans(ALWAYS_ON)
    inside = context_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    decisions = [
        sampler.should_sample(None, 1, "GET", SpanKind.CLIENT).decision,
        sampler.should_sample(inside, 1, "GET", SpanKind.CLIENT).decision,
        sampler.should_sample(None, 1, "POST", SpanKind.SERVER).decision,
    ]
    record = Decision.RECORD_AND_SAMPLE
    assert decisions == [Decision.DROP, record, record]
    assert "AlwaysOn" in sampler.get_description()


def test_a_body_that_was_never_begun_is_closed_all_the_same():
    class Body:
        is_closed = False

        def __iter__(self):
            yield b"x"

        def close(self):
            self.is_closed = True

    inner = Body()

    def app(environ, start):
        start("200 OK", [])
        return inner

    environ = {"PATH_INFO": "/x", "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}
    environ |= {"SERVER_NAME": "h", "SERVER_PORT": "80"}
    TracedFront(app, "route", ())(environ, lambda *_: None).close()
    assert inner.is_closed
