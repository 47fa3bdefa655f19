"""Virtual keys on real processes: two fronts, a worker, and the command that makes the keys."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import pytest
import requests

from api.app import ENVELOPE_ROUTES, OPERATIONS_ROUTES, PREFIXES, PUBLIC, RESPONSES_ROUTES
from common.keyring import LOOK_EVERY_SECONDS
from tests.support.calling import check_error, without_ids
from tests.support.guarded import BODY, MUNINN, Guarded, call, muninn_keys
from tests.support.processes import HOST, Muninn, Process, StoreServer, free_port
from tests.support.waiting import wait_until
from worker.janitor import TICK_SECONDS

OPS_SECRET = "planted-secret-of-the-environment-5d1f"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ALL_ROUTES = [(method, p + path) for p in PREFIXES for method, path, _ in RESPONSES_ROUTES]
ALL_ROUTES += [(method, path) for method, path, _ in (*ENVELOPE_ROUTES, *OPERATIONS_ROUTES)]
ALL_ROUTES = [route for route in ALL_ROUTES if route[1] not in PUBLIC]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("keys")
    server = StoreServer(folder / "store")
    keys = {"ops": {"secret_env": "OPS_KEY", "is_admin": True}}
    running = Muninn(folder, server.url, keys=json.dumps(keys), default_provider="echo")
    running.env["OPS_KEY"] = OPS_SECRET
    second = free_port()
    try:
        with ThreadPoolExecutor(3) as pool:
            starts = [pool.submit(running.start_front), pool.submit(running.start_worker)]
            starts.append(pool.submit(running.start_front, second))
        for start in starts:
            start.result()
        found = Guarded(running, server, [running.root, f"http://{HOST}:{second}"])
        found.secrets["ops"] = OPS_SECRET
        yield found
        found.store.client.close()
    finally:
        running.stop()
        server.stop()


@dataclass(frozen=True)
class Owned:
    """A key's job and batch, and keys that have no business with them."""

    job_id: str
    batch_id: str
    response_id: str
    wrong: dict[str, str | None]
    other: str

    def path(self, path: str, *, unknown: bool = False) -> str:
        job_id, batch_id = (UNKNOWN, UNKNOWN) if unknown else (self.job_id, self.batch_id)
        for name, value in (("response_id", job_id), ("job_id", job_id), ("batch_id", batch_id)):
            path = path.replace(f"<{name}>", value)
        return path


@pytest.fixture(scope="module")
def owned(guarded: Guarded) -> Owned:
    owner = guarded.key("owner")
    job_id = guarded.submit(owner)
    requests_of_batch = {"requests": [{"custom_id": "a", "body": BODY}]}
    batch = call(
        guarded.fronts[0], owner, "POST", "/v1/async/responses/batch", json=requests_of_batch
    )
    path = f"/v1/responses/{job_id}"

    def response() -> dict[str, str] | None:
        shown = call(guarded.fronts[1], owner, "GET", path).json()
        return shown if shown["status"] == "completed" else None

    wrong = {
        "none": None,
        "unknown": "mk-unknown",
        "revoked": guarded.key("revoked", is_revoked=True),
        "expired": guarded.key("expired", expires_at=1),
    }
    response_id = wait_until(response, "the job is completed")["id"]
    return Owned(job_id, batch.json()["id"], response_id, wrong, guarded.key("other"))


@pytest.mark.parametrize("wrong", ["none", "unknown", "revoked", "expired"])
def test_no_route_knows_a_wrong_key(guarded: Guarded, owned: Owned, wrong: str) -> None:
    bodies = []
    for number, (method, path) in enumerate(ALL_ROUTES):
        front = guarded.fronts[number % 2]
        answer = call(front, owned.wrong[wrong], method, owned.path(path), json=BODY)
        bodies.append(
            without_ids(check_error(answer, 401, "authentication_error", "invalid_api_key"))
        )
    nobody = call(guarded.fronts[0], None, "GET", "/v1/async/responses").json()
    assert bodies == [without_ids(nobody)] * len(ALL_ROUTES)


@pytest.mark.parametrize(("method", "path"), [route for route in ALL_ROUTES if "<" in route[1]])
def test_what_is_anothers_is_not_found(
    guarded: Guarded, owned: Owned, method: str, path: str
) -> None:
    bodies = [
        without_ids(
            check_error(
                call(guarded.fronts[0], owned.other, method, shown, json=BODY),
                404,
                "invalid_request_error",
                "job_not_found",
            )
        )
        for shown in (owned.path(path), owned.path(path, unknown=True))
    ]
    assert bodies[0] == bodies[1]


def test_nor_by_its_providers_id_by_a_poll_a_stream_a_list_or_a_follow_up(
    guarded: Guarded, owned: Owned
) -> None:
    front, responses = guarded.fronts[0], "/openai/v1/responses"
    for any_id in (owned.job_id, owned.response_id):
        poll = {"x-bf-async-id": any_id, "x-api-key": owned.other}
        answer = requests.post(front + responses, headers=poll, timeout=10)
        check_error(answer, 404, "invalid_request_error", "job_not_found")
        for query in ("", "?stream=true"):
            answer = call(front, owned.other, "GET", f"{responses}/{any_id}{query}")
            check_error(answer, 404, "invalid_request_error", "job_not_found")
    assert call(front, owned.other, "GET", "/v1/async/responses").json()["data"] == []
    follow_up = {**BODY, "previous_response_id": owned.job_id}
    answer = call(front, owned.other, "POST", responses, json=follow_up)
    code = "previous_response_not_found"
    check_error(answer, 400, "invalid_request_error", code, "previous_response_id")


def test_an_admin_key_of_the_environment_sees_the_jobs_of_all(
    guarded: Guarded, owned: Owned
) -> None:
    listed = call(guarded.fronts[1], OPS_SECRET, "GET", "/v1/async/responses").json()["data"]
    assert owned.job_id in [job["id"] for job in listed]
    path = owned.path("/v1/async/responses/batch/<batch_id>")
    assert call(guarded.fronts[0], OPS_SECRET, "GET", path).status_code == 200
    owners = call(guarded.fronts[0], OPS_SECRET, "GET", "/v1/async/responses?key=owner").json()
    assert {job["key"] for job in owners["data"]} == {"owner"}
    assert call(guarded.fronts[1], OPS_SECRET, "GET", "/v1/async/overview").status_code == 200


def test_others_see_no_overview_no_keys_and_their_own_usage_alone(
    guarded: Guarded, owned: Owned
) -> None:
    for path in ("/v1/async/overview", "/v1/async/responses?key=owner"):
        refused = call(guarded.fronts[0], owned.other, "GET", path)
        check_error(refused, 403, "permission_error", "admin_key_required")
    assert call(guarded.fronts[0], owned.other, "GET", "/v1/usage").json()["data"] == []


def test_an_admins_retry_of_anothers_job_is_that_keys_own(guarded: Guarded, owned: Owned) -> None:
    path = owned.path("/v1/async/responses/<job_id>/retry")
    retried = call(guarded.fronts[1], OPS_SECRET, "POST", path)
    assert retried.status_code == 202, retried.text
    new_job = f"/v1/async/responses/{retried.json()['id']}"
    seen = call(guarded.fronts[0], OPS_SECRET, "GET", new_job).json()
    assert (seen["key"], seen["model"]) == ("owner", BODY["model"])
    assert call(guarded.fronts[0], owned.other, "GET", new_job).status_code == 404


def test_the_command_shows_what_each_key_has_used(guarded: Guarded) -> None:
    secret = guarded.key("spender")
    for _ in range(2):
        assert call(guarded.fronts[0], secret, "POST", "/v1/responses", json=BODY).ok

    def rows() -> list[dict[str, object]]:
        shown = json.loads(guarded.cli("usage", "--json", "--days", "1").stdout)
        return [row for row in shown if row["key"] == "spender"]

    wait_until(lambda: [row["requests"] for row in rows()] == [2], "both calls are counted")
    table = guarded.cli("usage").stdout.splitlines()
    assert table[0].split()[:4] == ["DATE", "KEY", "REQUESTS", "JOBS"]
    assert [line.split()[1:4] for line in table if "spender" in line] == [["spender", "2", "0"]]
    assert call(guarded.fronts[1], secret, "GET", "/v1/usage").json()["data"] == rows()
    refused = guarded.cli("usage", "--days", "0")
    assert (refused.returncode, "must be 1 to 400" in refused.stderr) == (2, True)


def test_a_user_makes_lists_rotates_and_revokes_a_key(guarded: Guarded) -> None:
    made = guarded.cli(
        "create", "--name", "cli", "--models", "echo/*", "--rpm", "50", "--expires", "30d"
    )
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("mk-")
    assert secret not in made.stderr
    wait_until(lambda: guarded.statuses(secret) == [200, 200], "the new key is good")
    job_id = guarded.submit(secret)

    again = guarded.cli("create", "--name", "cli")
    assert (again.returncode, "there is a key cli already" in again.stderr) == (1, True)

    listed = guarded.cli("list")
    assert [
        line.split()[2:5] for line in listed.stdout.splitlines() if line.startswith("cli ")
    ] == [["active", "echo/*", "50"]]
    assert secret not in listed.stdout

    rotated = guarded.cli("rotate", "cli").stdout.strip()
    wait_until(lambda: guarded.statuses(secret) == [401, 401], "the old secret is refused")
    answer = call(guarded.fronts[1], rotated, "GET", f"/v1/responses/{job_id}")
    assert answer.status_code == 200, "its jobs are still its own"

    assert guarded.cli("revoke", "cli").returncode == 0
    wait_until(lambda: guarded.statuses(rotated) == [401, 401], "the key is refused")
    shown = {key["name"]: key for key in json.loads(guarded.cli("list", "--json").stdout)}
    assert shown["cli"]["status"] == "revoked"
    guarded.secrets |= {"cli": secret, "cli rotated": rotated}


def test_what_cannot_be_done_is_said(guarded: Guarded) -> None:
    refused = guarded.cli("revoke", "nobody")
    assert refused.returncode == 1
    assert "no key 'nobody'" in refused.stderr


def test_a_revocation_holds_within_a_second_on_every_front(guarded: Guarded) -> None:
    secret = guarded.key("shortlived")
    assert guarded.cli("revoke", "shortlived").returncode == 0
    assert LOOK_EVERY_SECONDS <= 0.5, "half of the second is for looking"
    wait_until(lambda: guarded.statuses(secret) == [401, 401], "it is refused", 5)


def test_no_key_gets_more_than_its_share_and_none_less(guarded: Guarded) -> None:
    shares = {3: "", 6: "", 12: "", 24: "", 48: ""}
    for rpm in shares:
        shares[rpm] = guarded.key(f"rpm-{rpm}", rpm=rpm)
    turns = [(rpm, n % 2) for rpm in shares for n in range(rpm * 2)]

    def ask(turn: tuple[int, int]) -> tuple[int, int]:
        rpm, front = turn
        answer = call(guarded.fronts[front], shares[rpm], "POST", "/v1/responses", json=BODY)
        assert answer.headers["x-ratelimit-limit-requests"] == str(rpm)
        if answer.status_code == 429:
            assert 0 < int(answer.headers["retry-after"]) <= 60
        return rpm, answer.status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, turns))
    for rpm in shares:
        served = [status for key, status in answers if key == rpm]
        assert sorted(served) == [200] * rpm + [429] * rpm


def test_no_more_jobs_run_at_once_than_a_key_may(guarded: Guarded) -> None:
    secret = guarded.key("narrow", max_running=2)
    ids = [guarded.submit(secret, model="echo/slow-200ms") for _ in range(7)]
    unbounded = guarded.submit(guarded.key("wide"))

    def ended(job_id: str) -> bool:
        record = guarded.store.get(job_id)
        return record is not None and record.is_ended

    wait_until(lambda: ended(unbounded), "others do not wait")
    wait_until(lambda: all(map(ended, ids)), "all of them run in the end")
    records = [record for record in map(guarded.store.get, ids) if record is not None]
    assert {record.status.value for record in records} == {"completed"}
    spans = [(record.started_at_ms or 0, record.completed_at_ms or 0) for record in records]
    at_once = [sum(begin <= start < end for begin, end in spans) for start, _ in spans]
    assert max(at_once) == 2
    starts, ends = (sorted(times) for times in zip(*spans, strict=True))
    gaps = [start - end for start, end in zip(starts[2:], ends, strict=False)]
    # Most of them: the worker's round that takes forgotten ones comes once a second.
    assert median(gaps) < 1000 * TICK_SECONDS / 2, "a free place is taken at once"


def test_keys_of_an_embedded_server_are_made_through_its_data_directory(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    none = muninn_keys("list", "--data-dir", str(data))
    assert (none.returncode, "no Redis to keep keys in" in none.stderr) == (1, True)
    argv = [MUNINN, "up", "--port", str(port), "--data-dir", str(data)]
    up = Process("up", argv, tmp_path / "log", {"MUNINN_REDIS_URL": "", "REDIS_URL": ""})
    try:
        wait_until(lambda: "Muninn is up." in up.log_text(), "it is up")
        root = f"http://{HOST}:{port}"
        assert call(root, None, "POST", "/v1/responses", json=BODY).status_code == 200
        secret = muninn_keys("create", "--name", "me", "--data-dir", str(data)).stdout.strip()
        refused = partial(call, root, None, "POST", "/v1/responses", json=BODY)
        wait_until(lambda: refused().status_code == 401, "a key is needed")
        assert call(root, secret, "POST", "/v1/responses", json=BODY).status_code == 200
        assert "open: no keys are configured" in up.log_text()
        assert secret not in up.log_text()
    finally:
        up.stop()


def test_without_the_store_known_keys_stay_good_and_unknown_ones_do_not(
    guarded: Guarded,
) -> None:
    secret = guarded.key("steady", rpm=1)
    guarded.server.process.kill()
    try:
        for _ in range(2):
            answer = call(guarded.fronts[0], secret, "POST", "/v1/responses", json=BODY)
            assert answer.status_code == 200, "and are not limited"
        answer = call(guarded.fronts[0], "mk-unknown", "POST", "/v1/responses", json=BODY)
        check_error(answer, 401, "authentication_error", "invalid_api_key")
        port = free_port()
        guarded.muninn.start_front(port)  # that never saw the keys
        late = f"http://{HOST}:{port}"
        answer = call(late, secret, "POST", "/v1/responses", json=BODY)
        check_error(answer, 503, "service_unavailable", "service_unavailable")
        assert call(late, OPS_SECRET, "POST", "/v1/responses", json=BODY).status_code == 200
    finally:
        guarded.server.restart()


def test_no_secret_is_found_in_the_store_or_in_any_log(guarded: Guarded) -> None:
    assert len(guarded.secrets) > 10
    files = [path for path in guarded.muninn.folder.rglob("*") if path.is_file()]
    assert any("appendonly" in path.name for path in files), "all that was ever written to Redis"
    kept = b"\n".join(path.read_bytes() for path in files)
    assert b"virtual-keys" in kept
    assert [name for name, secret in guarded.secrets.items() if secret.encode() in kept] == []
