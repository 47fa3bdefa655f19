"""The usage of keys, from the calls that make it to ``/v1/usage``; on fakeredis."""

from dataclasses import replace

import orjson
import pytest

from api.app import create_app
from common.errors import ProviderTimeout
from common.inference import CallOptions, Inference
from common.provider_rows import ProviderRow
from common.providers.base import UpstreamCall
from common.providers.registry import Registry
from common.store.job_store import JobStore
from common.store.usage import NANO_DOLLARS, UsageStore
from common.submission import Submitter
from tests.support.fakes import RESPONSE, FakeProvider, FakeStream, event
from tests.unit.test_api_keys import Front, check
from worker.runner import _ending_of

TOKENS = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
ANSWER = {**RESPONSE, "model": "gpt-4o-mini", "usage": TOKENS}
BODY = {"model": "gpt-4o-mini", "input": "x"}
STREAM = {**BODY, "stream": True}
CREATED = event("response.created", response=RESPONSE, sequence_number=0)
COMPLETED = event("response.completed", response=ANSWER, sequence_number=1)
# By the price list: 0.15 and 0.60 dollars for a million tokens.
COST = 0.00021
ONE = {"input_tokens": 1000, "output_tokens": 100, "total_cost": COST}
NONE = {"input_tokens": 0, "output_tokens": 0, "total_cost": 0.0}


class Priced(Front):
    """A front whose provider has a model with a price."""

    def __init__(self, store: JobStore, *outcomes: object) -> None:
        super().__init__(store)
        provider = FakeProvider(*outcomes, name="openai")
        row = ProviderRow(base_url="http://fake.invalid/v1")
        inference = Inference(Registry({"openai": provider}, {"openai": row}, "openai"))
        submitter = Submitter(store, self.services.queue, inference)
        self.services = replace(self.services, inference=inference, submitter=submitter)
        self.app = create_app(self.services)
        self.http = self.app.test_client()

    def rows(self, secret: str = "", query: str = "") -> list[dict[str, object]]:
        self.services.usage.flush()
        answer = self.get(secret, f"/v1/usage{query}")
        assert answer.status_code == 200, answer.text
        assert answer.json["object"] == "list"
        return list(answer.json["data"])

    def stream(self) -> None:
        """Read a stream to its end."""
        answer = self.post("", STREAM)
        answer.get_data()
        answer.close()

    def submit(self, secret: str) -> str:
        return str(self.post(secret, BODY, **{"x-bf-async": "true"}).json["id"])

    def run_job(self, job_id: str) -> None:
        """What a worker does."""
        store = self.services.store
        claim = store.claim(job_id, "t")
        assert claim is not None
        request = orjson.loads(claim.request)
        answer = self.services.inference.create(request, CallOptions(), UpstreamCall())
        assert store.finish(claim, _ending_of(answer))


def numbers(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in ("date", "key")}


def test_an_inline_call_counts_with_its_tokens_and_cost(store: JobStore) -> None:
    front = Priced(store, ANSWER)
    assert front.post("", BODY).json["usage"]["cost"]["total_cost"] == pytest.approx(COST)
    (row,) = front.rows()
    assert list(row) == [
        "date", "key", "requests", "jobs", "input_tokens", "output_tokens", "total_cost",
    ]  # fmt: skip
    assert row["key"] is None
    assert numbers(row) == {"requests": 1, "jobs": 0, **ONE}


def test_a_stream_counts_when_it_is_closed(store: JobStore) -> None:
    front = Priced(store, FakeStream([CREATED, COMPLETED]))
    front.stream()
    assert [numbers(row) for row in front.rows()] == [{"requests": 1, "jobs": 0, **ONE}]


@pytest.mark.parametrize(
    "pieces",
    [[CREATED], [CREATED, ProviderTimeout("late")], [CREATED, None]],
    ids=["cut", "silent for too long", "cut after a silence"],
)
def test_a_stream_that_breaks_counts_as_a_request(store: JobStore, pieces: list[object]) -> None:
    front = Priced(store, FakeStream(pieces))
    front.stream()
    assert [numbers(row) for row in front.rows()] == [{"requests": 1, "jobs": 0, **NONE}]


def test_a_stream_whose_reader_leaves_counts_once(store: JobStore) -> None:
    front = Priced(store, FakeStream([CREATED, COMPLETED]))
    answer = front.post("", STREAM)
    next(iter(answer.response))
    answer.close()
    answer.close()
    assert [numbers(row) for row in front.rows()] == [{"requests": 1, "jobs": 0, **NONE}]


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["inline", "streamed"])
def test_a_call_that_the_provider_fails_counts_and_one_we_refuse_does_not(
    store: JobStore, body: dict[str, object]
) -> None:
    front = Priced(store, ProviderTimeout("late"))
    assert front.post("", body).status_code == 504
    assert front.post("", {**body, "model": "nobody/x"}).status_code == 404
    assert front.post("", {"input": "x"}).status_code == 400
    assert [numbers(row) for row in front.rows()] == [{"requests": 1, "jobs": 0, **NONE}]


def test_a_job_counts_as_a_job_and_polls_as_nothing(store: JobStore) -> None:
    front = Priced(store, ANSWER)
    job_id = front.submit("")
    assert front.rows() == []
    front.run_job(job_id)
    for _ in range(3):
        assert front.get("", f"/v1/responses/{job_id}").json["status"] == "completed"
    assert [numbers(row) for row in front.rows()] == [{"requests": 0, "jobs": 1, **ONE}]


def test_a_key_sees_its_own_usage_and_an_admin_that_of_all(store: JobStore) -> None:
    front = Priced(store, ANSWER)
    front.post("", BODY)
    mine, key = front.key("mine")
    other, _ = front.key("other")
    admin, _ = front.key("boss", is_admin=True)
    for secret in (mine, mine, other):
        assert front.post(secret, BODY).status_code == 200
    front.run_job(front.submit(mine))
    assert [(row["key"], row["requests"], row["jobs"]) for row in front.rows(mine)] == [
        ("mine", 2, 1)
    ]
    assert {row["key"]: row["requests"] for row in front.rows(admin)} == {
        None: 1, "mine": 2, "other": 1,
    }  # fmt: skip
    front.key("mine")  # another key of that name
    assert {row["key"] for row in front.rows(admin)} == {None, key.id, "other"}


def test_days_are_counted_back_from_today(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    front = Priced(store)
    day = 20_000
    monkeypatch.setattr("common.store.usage.time.time", lambda: day * 86_400 + 5)
    usage = UsageStore(store)
    for number, age in enumerate((0, 6, 7, 399), 1):
        usage.add("s", number, {(day - age, "", NANO_DOLLARS): number * 1_500_000_000})
    assert [row["total_cost"] for row in front.rows()] == [3.0, 1.5], "seven, the oldest first"
    assert [row["date"] for row in front.rows("", "?days=1")] == ["2024-10-04"]
    assert len(front.rows("", "?days=400")) == 4


@pytest.mark.parametrize("days", ["0", "401", "-1", "x", "", "1.5", "٣"])
def test_days_that_make_no_sense_are_refused(store: JobStore, days: str) -> None:
    answer = Priced(store).http.get("/v1/usage", query_string={"days": days})
    check(answer, 400, "invalid_request_error", "invalid_value", "days")
