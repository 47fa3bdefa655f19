"""Whom events may go to, and what is sent."""

import json
import time

import pytest

from common.errors import InvalidValue
from common.jobs import JobRecord, JobStatus
from common.webhook_rows import WebhookRow
from common.webhooks.backoff import LONGEST_DELAY_SECONDS, Backoff
from common.webhooks.endpoints import Endpoint, Endpoints
from common.webhooks.event import event_of, signed_headers
from tests.support.upstream import Seen
from tests.support.webhooks import (
    OLD_SECRET,
    SECRET,
    verified_by_openai,
    verified_by_standardwebhooks,
)

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
ENDPOINTS = Endpoints(
    {
        "billing": WebhookRow(url="https://billing.example/in", secrets=[SECRET]),
        "tenants": WebhookRow(url="https://t.example/hooks", secrets=[SECRET], allow_below=True),
        "one": WebhookRow(url="https://t.example/hooks/1/", secrets=[OLD_SECRET], allow_below=True),
    }
)


def test_a_name_leads_to_its_url_and_secrets() -> None:
    assert ENDPOINTS.find("billing") == Endpoint("https://billing.example/in", (SECRET,))


@pytest.mark.parametrize(
    "url",
    [
        "https://t.example/hooks",
        "https://t.example/hooks/7",
        "https://t.example:443/hooks/7?a=b",
    ],
)
def test_a_url_below_an_endpoint_that_allows_it_is_signed_by_that(url) -> None:
    assert ENDPOINTS.find(url) == Endpoint(url, (SECRET,))


def test_the_closest_endpoint_signs() -> None:
    url = "https://t.example/hooks/1/x"
    assert ENDPOINTS.find(url) == Endpoint(url, (OLD_SECRET,))


@pytest.mark.parametrize(
    "target",
    [
        "unknown",
        "https://billing.example/in",
        "https://t.example/",
        "https://t.example/hooksy",
        "https://t.example/hooks/../admin",
        "https://t.example/hooks/%2e%2e/admin",
        "https://t.example:8443/hooks/7",
        "https://t.example:99999/hooks/7",
        "http://t.example/hooks/7",
        "https://t.example.evil.example/hooks/7",
        "https://t.example@evil.example/hooks/7",
        "https://user@t.example/hooks/7",
        "https://t.example/hooks/" + "x" * 2048,
    ],
)
def test_any_other_target_is_refused_by_its_header(target) -> None:
    assert ENDPOINTS.find(target) is None
    with pytest.raises(InvalidValue) as caught:
        ENDPOINTS.check(target, "the-header")
    assert caught.value.param == "the-header"


def test_a_wrong_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidValue, match=r"billing, tenants, one\."):
        ENDPOINTS.check("bill", "h")
    with pytest.raises(InvalidValue, match=r"none\."):
        Endpoints({}).check("bill", "h")


def record(status=JobStatus.COMPLETED, result=None):
    return JobRecord(
        id=JOB_ID,
        status=status,
        owner="",
        shape=b"{}",
        attempts=1,
        created_at_ms=1,
        completed_at_ms=1_700_000_000_999,
        result=json.dumps(result).encode() if result is not None else None,
    )


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (record(result={"status": "completed"}), "response.completed"),
        (record(result={"status": "incomplete"}), "response.incomplete"),
        (record(result={}), "response.completed"),
        (record(result=[]), "response.completed"),
        (record(result={"status": ["completed"]}), "response.completed"),
        (record(JobStatus.FAILED), "response.failed"),
        (record(JobStatus.FAILED, {"status": "failed"}), "response.failed"),
        (record(JobStatus.CANCELLED), "response.cancelled"),
    ],
)
def test_an_event_tells_how_the_job_ended(ended, kind) -> None:
    assert json.loads(event_of(ended)) == {
        "id": "evt_0b9d6a3e6f5c4b8e9a4e3f1d2c4b5a69",
        "object": "event",
        "created_at": 1_700_000_000,
        "type": kind,
        "data": {"id": JOB_ID},
    }
    assert event_of(ended) == event_of(ended)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_either_secret_of_a_rotation_verifies(secret) -> None:
    body = event_of(record())
    endpoint = Endpoint("https://a.example/", (SECRET, OLD_SECRET))
    headers = signed_headers(endpoint, JOB_ID, body, time.time())
    seen = Seen("POST", "/", headers, body, b"", 1)
    assert headers["webhook-signature"].count("v1,") == 2
    assert verified_by_openai(seen, secret).type == "response.completed"
    assert verified_by_standardwebhooks(seen, secret)["data"] == {"id": JOB_ID}


def test_a_secret_is_not_in_the_text_of_its_endpoint() -> None:
    assert SECRET not in repr(ENDPOINTS.find("billing"))


def test_pauses_grow_threefold_with_jitter_and_end_after_about_a_day() -> None:
    backoff = Backoff(max_attempts=12, first_delay_seconds=5.0)
    pauses = [backoff.delay_seconds(attempts) for attempts in range(1, 13)]
    assert pauses[11] is None
    for number, pause in enumerate(pauses[:11]):
        shortest = min(5.0 * 3**number, LONGEST_DELAY_SECONDS)
        assert shortest <= pause <= shortest + 5.0
    assert 20 * 3600 < sum(pauses[:11]) < 28 * 3600
