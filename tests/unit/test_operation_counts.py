"""What stays fast: the operations that each request costs, counted.

A stopwatch on a shared machine says little; a count says when somebody adds a round trip, a parse
or a copy to a path that is taken for every request.
"""

from collections import Counter

import orjson
import pytest
import redis

from api.app import create_app
from common import answers
from common.bootstrap import build_services
from common.jobs import Ending, JobStatus
from common.settings import load_settings

BODY = b'{"model": "echo/hello", "input": "hi"}'


class RoundTrips:
    """Counts what goes to the store: a command or a pipeline is one round trip."""

    def __init__(self, monkeypatch):
        self.commands = Counter()
        self._wrap(monkeypatch, redis.Redis, "execute_command", lambda args: str(args[0]))
        self._wrap(monkeypatch, redis.client.Pipeline, "execute", lambda args: "pipeline")

    def _wrap(self, monkeypatch, owner, name, label):
        original = getattr(owner, name)

        def counted(client, *args, **options):
            queues = isinstance(client, redis.client.Pipeline) and name == "execute_command"
            if not queues:
                self.commands[label(args)] += 1
            return original(client, *args, **options)

        monkeypatch.setattr(owner, name, counted)

    def of(self, action):
        self.commands.clear()
        action()
        return dict(self.commands)


@pytest.fixture
def services(store):
    services = build_services(load_settings({}), store=store)
    # Scripts are loaded once per server, memory is looked at once a second: not counted here.
    for source in store.scripts._sources.values():
        store.client.script_load(source)
    create_app(services).test_client().post(
        "/v1/responses", data=BODY, headers={"x-bf-async": "true"}
    )
    return services


@pytest.fixture
def http(services):
    return create_app(services).test_client()


@pytest.fixture
def trips(services, monkeypatch):
    return RoundTrips(monkeypatch)


def submitted(http):
    return http.post("/v1/responses", data=BODY, headers={"x-bf-async": "true"}).get_json()["id"]


def test_a_submit_is_one_round_trip(http, trips):
    assert trips.of(lambda: submitted(http)) == {"EVALSHA": 1}


def test_a_poll_is_one_round_trip(http, trips):
    job_id = submitted(http)
    headers = {"x-bf-async-id": job_id}
    assert trips.of(lambda: http.post("/v1/responses", headers=headers)) == {"HMGET": 1}
    assert trips.of(lambda: http.get(f"/v1/responses/{job_id}")) == {"HMGET": 1}


def test_inline_calls_and_streams_do_not_touch_the_store(http, trips):
    stream = BODY[:-1] + b', "stream": true}'
    for body in (BODY, stream):
        assert trips.of(lambda sent=body: http.post("/v1/responses", data=sent).get_data()) == {}


def test_a_job_is_one_round_trip_to_claim_and_one_to_end(services, http, trips):
    store = services.store
    job_id = submitted(http)
    ending = Ending(JobStatus.COMPLETED, result=b"{}", response_id="resp_1")
    claims = []
    assert trips.of(lambda: claims.append(store.claim(job_id, "t"))) == {"EVALSHA": 1}
    assert trips.of(lambda: store.finish(claims[0], ending)) == {"pipeline": 1}


def test_a_heartbeat_is_one_round_trip_for_any_number_of_jobs(services, trips):
    held = [(f"00000000-0000-4000-8000-{number:012d}", "t") for number in range(1000)]
    assert trips.of(lambda: services.store.heartbeat(held, renew=True)) == {"EVALSHA": 1}


def test_an_answer_in_good_order_is_not_written_anew(monkeypatch):
    raw = b'{"id":"resp_1","object":"response","status":"completed","output":[],"x":1}'
    written = []
    dumps = orjson.dumps
    monkeypatch.setattr(
        answers.orjson, "dumps", lambda value: written.append(value) or dumps(value)
    )
    whole = answers.decorate(orjson.loads(raw), raw, {"provider": "p"})
    assert whole.startswith(raw[:-1])
    assert [sorted(value) for value in written] == [["extra_fields", "output_text"]]


def test_the_request_body_is_parsed_once(http, monkeypatch):
    parsed = []
    loads = orjson.loads
    monkeypatch.setattr(
        "common.schemas.parsing.orjson.loads", lambda data: parsed.append(data) or loads(data)
    )
    http.post("/v1/responses", data=BODY, headers={"x-bf-async": "true"})
    assert [data for data in parsed if data == BODY] == [BODY]
