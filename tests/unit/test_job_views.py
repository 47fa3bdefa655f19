"""A job as a Response object, in every state."""

import orjson
import pytest

from common.job_views import response_view, submit_shape
from common.jobs import JobRecord, JobStatus
from tests.support.strict import check_response

JOB_ID = "0b9d6a3e-6f5c-4b8e-9a4e-3f1d2c4b5a69"
BODY = {"model": "echo/hello", "input": "x", "metadata": {"a": "b"}, "temperature": 0.5}
SHAPE = submit_shape(JOB_ID, 1_700_000_000_999, BODY)


def record(status, **fields):
    return JobRecord(
        id=JOB_ID, status=JobStatus(status), owner="", shape=SHAPE, attempts=0, created_at_ms=0,
        **fields,
    )  # fmt: skip


def test_the_submit_shape_is_what_the_page_says():
    shape = check_response(SHAPE)
    expected = {
        "id": JOB_ID,
        "object": "response",
        "status": "queued",
        "created_at": 1_700_000_000,
        "model": "echo/hello",
        "background": True,
        "output": [],
        "metadata": {"a": "b"},
        "error": None,
        "usage": None,
        "temperature": 0.5,
    }
    assert {name: shape[name] for name in expected} == expected
    assert "input" not in shape


@pytest.mark.parametrize("metadata", [None, {}])
def test_metadata_that_was_not_given_is_empty(metadata):
    shape = orjson.loads(submit_shape(JOB_ID, 0, {"model": "m", "metadata": metadata}))
    assert shape["metadata"] == {}


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed", "cancelled"])
def test_without_an_answer_the_view_is_the_submit_shape_in_another_status(status):
    view = check_response(response_view(record(status)))
    same = orjson.loads(SHAPE)
    assert view["status"] == status
    assert {**view, "status": "", "error": None} == {**same, "status": ""}


def test_a_failed_job_shows_code_and_message_alone():
    error = {"code": "bad", "message": "no", "type": "t", "status_code": 400, "provider": "p"}
    view = orjson.loads(response_view(record("failed", error=error)))
    assert view["error"] == {"code": "bad", "message": "no"}


@pytest.mark.parametrize("error", [None, {}, {"code": None, "message": None}])
def test_a_failed_job_always_has_an_error(error):
    view = orjson.loads(response_view(record("failed", error=error)))
    assert view["error"] == {"code": "server_error", "message": "The job failed."}


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_the_failure_of_an_earlier_attempt_is_not_shown(status):
    view = orjson.loads(response_view(record(status, error={"code": "busy", "message": "x"})))
    assert view["error"] is None
    assert view["status"] == status


@pytest.mark.parametrize("status", ["completed", "failed"])
def test_an_answer_of_the_provider_is_shown_byte_for_byte(status):
    assert response_view(record(status, result=b'{"id": 1.0}')) == b'{"id": 1.0}'
