"""One trace from a submit over its attempts to the webhook, with real processes and a collector;
and what the same processes log, as JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from common.store.keys import JOBS_QUEUE, WEBHOOKS_QUEUE
from tests.support.calling import poll_to_the_end, post
from tests.support.collector import Collected, Collector
from tests.support.processes import Muninn, StoreServer, free_port
from tests.support.upstream import HOLD, Upstream, answer, sse_answer
from tests.support.vendor import RESPONSE, events
from tests.support.waiting import wait_until
from tests.support.webhooks import SECRET, rows

KEY = "planted-provider-key-51d0aa"
PRIVATE = "planted-prompt-7c41"
SERVER, CLIENT, CONSUMER = 2, 3, 5
JOBS, WEBHOOKS = f"process {JOBS_QUEUE}", f"process {WEBHOOKS_QUEUE}"
USAGE = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
WHOLE = answer(json.dumps({**RESPONSE, "usage": USAGE}).encode())
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Place:
    """A running Muninn, its provider, its receiver of webhooks and its collector."""

    muninn: Muninn
    upstream: Upstream
    receiver: Upstream
    collector: Collector

    @property
    def v1(self) -> str:
        return f"{self.muninn.root}/openai/v1"

    def submit(self, **headers: str) -> str:
        body = {"model": "vendor/m", "input": PRIVATE}
        reply = post(self.v1, body, x_bf_async="true", **headers)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])

    def of_job(self, name: str, job_id: str, count: int = 1) -> list[Collected]:
        def found() -> list[Collected]:
            spans = [s for s in self.collector.spans() if s.name == name]
            mine = [s for s in spans if s.attributes.get("muninn.job.id") == job_id]
            return mine if len(mine) >= count else []

        return wait_until(found, f"{count} spans {name!r} of the job")

    def child_of(self, parent: Collected, name: str) -> Collected:
        def found() -> list[Collected]:
            spans = self.collector.spans()
            return [s for s in spans if s.parent == parent.id and s.name == name]

        return wait_until(found, f"a span {name!r}")[0]

    def lines(self) -> list[dict[str, Any]]:
        """Everything that was logged so far; each line has to be JSON."""
        processes = (*self.muninn.fronts, *self.muninn.workers)
        texts = [line for each in processes for line in each.log_text().splitlines()]
        return [json.loads(text) for text in texts]

    def lines_of(self, **fields: Any) -> list[dict[str, Any]]:
        return [line for line in self.lines() if fields.items() <= line.items()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    store = StoreServer(tmp_path_factory.mktemp("store"))
    taken = answer(status=204)
    with Upstream(WHOLE) as upstream, Upstream(taken) as receiver, Collector() as collector:
        vendor = {"base_url": f"{upstream.url}/v1", "api_key_env": "VENDOR_KEY"}
        muninn = Muninn(
            tmp_path_factory.mktemp("traced"),
            store.url,
            providers=json.dumps({"vendor": vendor}),
            webhooks=rows(f"{receiver.url}/in?token=planted-token"),
            webhook_allow_private=True,
            lease_seconds=1,
            log_format="json",
            access_log="true",
            tracing="true",
            tracing_redis="true",
        )
        muninn.env |= {"VENDOR_KEY": KEY, **collector.env}
        try:
            yield Place(muninn.start(), upstream, receiver, collector)
        finally:
            muninn.stop()
            store.stop()


def test_one_trace_leads_from_a_submit_over_the_worker_to_the_webhook(place: Place) -> None:
    place.upstream.script = [WHOLE]
    job_id = place.submit(x_bf_async_webhook="hook", traceparent=CALLER, x_request_id="mine-1")
    place.receiver.wait_for_requests(1)
    (attempt,) = place.of_job(JOBS, job_id)
    (delivery,) = place.of_job(WEBHOOKS, job_id)
    (door,) = [s for s in place.collector.spans() if s.id == attempt.parent]
    call = place.child_of(attempt, "chat m")
    post_span = place.child_of(delivery, "POST")

    _, trace, caller, _ = CALLER.split("-")
    assert {s.trace for s in (door, attempt, call, delivery, post_span)} == {trace}
    assert (door.name, door.kind, door.parent) == ("POST /openai/v1/responses", SERVER, caller)
    assert door.attributes["muninn.request_id"] == "mine-1"
    assert (attempt.kind, delivery.kind) == (CONSUMER, CONSUMER)
    assert (call.kind, post_span.kind) == (CLIENT, CLIENT)
    assert delivery.parent == door.id
    assert (door.service, attempt.service) == ("muninn-front", "muninn-worker")
    assert attempt.attributes["muninn.outcome"] == "completed"
    assert call.attributes["gen_ai.provider.name"] == "vendor"
    assert call.attributes["gen_ai.request.model"] == "m"
    assert call.attributes["gen_ai.usage.input_tokens"] == USAGE["input_tokens"]
    assert call.attributes["gen_ai.usage.output_tokens"] == USAGE["output_tokens"]
    assert post_span.attributes["http.response.status_code"] == 204
    # The receiver is told of the trace, the provider is not.
    assert place.receiver.seen[0].headers["traceparent"].split("-")[1] == trace
    assert "traceparent" not in place.upstream.seen[-1].headers


def test_a_job_whose_worker_was_killed_goes_on_in_its_trace(place: Place) -> None:
    place.upstream.seen.clear()
    place.upstream.script = [HOLD, WHOLE]
    job_id = place.submit()
    place.upstream.wait_for_requests(1)
    place.muninn.workers[0].kill()
    place.muninn.start_worker()
    assert poll_to_the_end(place.v1, job_id)["status"] == "completed"
    (attempt,) = place.of_job(JOBS, job_id)
    (door,) = [s for s in place.collector.spans() if s.id == attempt.parent]

    assert attempt.attributes["muninn.attempt"] == 2
    assert (door.name, door.trace) == ("POST /openai/v1/responses", attempt.trace)
    assert place.child_of(attempt, "chat m").trace == attempt.trace


def test_a_failure_that_passes_is_two_attempts_of_one_trace(place: Place) -> None:
    place.upstream.script = [answer(b"{}", status=503), WHOLE]
    place.upstream.seen.clear()
    job_id = place.submit()
    first, second = sorted(
        place.of_job(JOBS, job_id, 2), key=lambda span: span.attributes["muninn.attempt"]
    )

    assert (first.trace, first.parent) == (second.trace, second.parent)
    assert (first.attributes["muninn.outcome"], first.failed) == ("tried_again", True)
    assert place.child_of(first, "chat m").attributes["http.response.status_code"] == 503


def test_a_stream_says_when_its_first_event_came(place: Place) -> None:
    place.upstream.script = [sse_answer(events())]
    body = {"model": "vendor/streamed", "input": PRIVATE, "stream": True}
    assert b"response.completed" in post(place.v1, body, x_request_id="streamed-1").content
    (call,) = place.collector.wait_for("chat streamed")
    (door,) = wait_until(
        lambda: [s for s in place.collector.spans() if s.id == call.parent], "the request's span"
    )

    assert call.events == ["first event"]
    assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert call.attributes["muninn.response.status"] == "completed"
    assert door.attributes["muninn.request_id"] == "streamed-1"


def test_commands_of_the_store_are_spans_of_what_asked_for_them(place: Place) -> None:
    place.upstream.script = [WHOLE]
    job_id = place.submit()
    (attempt,) = place.of_job(JOBS, job_id)
    commands = [s for s in place.collector.spans() if s.attributes.get("db.system") == "redis"]

    assert attempt.id in {span.parent for span in commands}
    assert all(span.parent for span in commands), "the process' own commands make no traces"


def test_the_last_spans_of_a_front_leave_with_it(place: Place) -> None:
    late = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
    place.muninn.env |= late
    front = place.muninn.start_front(free_port())
    port = front_port(front.log_text())
    body = {"model": "echo/last-words", "input": "hi"}
    requests.post(f"http://127.0.0.1:{port}/v1/responses", json=body, timeout=10)
    assert not [s for s in place.collector.spans() if s.name == "chat last-words"]
    front.stop()
    place.collector.wait_for("chat last-words")


def front_port(log: str) -> int:
    (line,) = [text for text in log.splitlines() if "Listening at" in text]
    return int(json.loads(line)["message"].rsplit(":", 1)[1])


def test_every_line_of_every_process_is_json(place: Place) -> None:
    for line in place.lines():
        assert list(line)[:4] == ["time", "level", "logger", "message"]
    loggers = {line["logger"].partition(".")[0] for line in place.lines()}
    assert {"_granian", "celery", "worker", "muninn"} <= loggers


def test_lines_about_a_job_carry_its_ids_and_those_of_its_request(place: Place) -> None:
    place.upstream.script = [WHOLE]
    job_id = place.submit(x_request_id="mine-2")
    wait_until(lambda: place.lines_of(message="job ended", job_id=job_id), "the job ends")
    (ended,) = place.lines_of(message="job ended", job_id=job_id)
    (attempt,) = place.of_job(JOBS, job_id)

    assert (ended["request_id"], ended["attempt"]) == ("mine-2", 1)
    assert (ended["provider"], ended["status"]) == ("vendor", "completed")
    assert (ended["trace_id"], ended["span_id"]) == (attempt.trace, attempt.id)


def test_each_request_has_a_line_that_says_how_it_went(place: Place) -> None:
    place.upstream.script = [answer(b"{}", status=400)]
    reply = post(place.v1, {"model": "vendor/m", "input": PRIVATE})
    (line,) = place.lines_of(message="request", request_id=reply.json()["event_id"])

    shown = {name: line[name] for name in ("method", "route", "status", "model", "provider")}
    assert shown == {
        "method": "POST",
        "route": "/openai/v1/responses",
        "status": 400,
        "model": "vendor/m",
        "provider": "vendor",
    }
    assert line["duration_ms"] > 0
    assert line["code"] == reply.json()["error"]["code"]


@pytest.mark.parametrize("kind", ["inline", "streamed", "job"])
def test_the_line_of_a_request_carries_its_trace(place: Place, kind: str) -> None:
    place.upstream.script = [sse_answer(events())] if kind == "streamed" else [WHOLE]
    path = "/v1/async/responses" if kind == "job" else "/v1/responses"
    body = {"model": "vendor/m", "input": PRIVATE, "stream": kind == "streamed"}
    headers = {"x-request-id": f"line-{kind}"}
    url = place.muninn.root + path
    requests.post(url, json=body, headers=headers, timeout=10).raise_for_status()
    wait_until(lambda: place.lines_of(message="request", request_id=f"line-{kind}"), "its line")
    (line,) = place.lines_of(message="request", request_id=f"line-{kind}")

    def doors() -> list[Collected]:
        asked = f"line-{kind}"
        spans = place.collector.spans()
        return [s for s in spans if s.attributes.get("muninn.request_id") == asked]

    wait_until(doors, "its span")
    (door,) = doors()
    assert (line["trace_id"], line["span_id"]) == (door.trace, door.id)


@pytest.mark.parametrize(
    "model", ["vendor/a\nforged", "vendor/\x1b[31mred\x1b[0m", "vendor/\u2028x"]
)
def test_a_name_of_a_model_cannot_forge_a_line(place: Place, model: str) -> None:
    place.upstream.script = [WHOLE]
    reply = post(place.v1, {"model": model, "input": "hi"}, x_request_id="forger")
    assert reply.status_code == 200
    lines = wait_until(lambda: place.lines_of(request_id="forger", model=model), "it is logged")
    assert lines[0]["message"] == "request"
    raw = "".join(front.log_text() for front in place.muninn.fronts)
    assert "\x1b" not in raw
    assert "\u2028" not in raw


def test_neither_lines_nor_spans_hold_what_was_said_or_a_secret(place: Place) -> None:
    logs = "".join(p.log_text() for p in (*place.muninn.fronts, *place.muninn.workers)).encode()
    for secret in (KEY, PRIVATE, SECRET, "planted-token", "Hi you"):
        assert secret.encode() not in logs
        assert secret.encode() not in place.collector.raw
