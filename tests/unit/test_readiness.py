"""What readiness says, how often it asks and how long it waits."""

import threading

import pytest

from api.app import create_app
from common.bootstrap import build_services
from common.errors import ServiceUnavailable
from common.readiness import Readiness
from common.settings import load_settings
from tests.support.waiting import wait_until


class Counted:
    """A check that counts how often it is asked."""

    def __init__(self, fault=None):
        self.fault = fault
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if self.fault:
            raise self.fault


def test_each_dependency_is_named_with_what_is_wrong():
    down = Counted(ServiceUnavailable("The job queue cannot be reached."))
    assert Readiness({"store": Counted(), "broker": down}).results() == {
        "store": {"status": "ok"},
        "broker": {"status": "down", "error": "The job queue cannot be reached."},
    }


def test_a_storm_of_probes_asks_once():
    check = Counted()
    readiness = Readiness({"store": check}, fresh_seconds=60)
    threads = [threading.Thread(target=readiness.results) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check.asked == 1


def test_an_old_answer_is_asked_for_again():
    check = Counted()
    readiness = Readiness({"store": check}, fresh_seconds=0)
    readiness.results()
    readiness.results()
    assert check.asked == 2


def test_what_was_down_is_asked_for_at_once():
    check = Counted(ServiceUnavailable("away"))
    readiness = Readiness({"store": check}, fresh_seconds=60)
    assert readiness.results()["store"]["status"] == "down"
    check.fault = None
    assert readiness.results()["store"]["status"] == "ok"


def test_those_who_wait_for_a_dead_store_wait_together():
    asked, came, released = [], [], threading.Event()

    def dead():
        asked.append(1)
        released.wait()
        raise ServiceUnavailable("away")

    readiness = Readiness({"store": dead}, longest_seconds=30)
    found = []

    def probe():
        came.append(1)
        found.append(readiness.results())

    threads = [threading.Thread(target=probe) for _ in range(9)]
    for thread in threads:
        thread.start()
    wait_until(lambda: asked and len(came) == 9, "the first has asked, the others have come")
    released.set()
    for thread in threads:
        thread.join()
    assert [each["store"]["status"] for each in found] == ["down"] * 9
    assert len(asked) < 9


def test_a_check_that_hangs_is_down():
    released = threading.Event()
    readiness = Readiness({"store": released.wait, "broker": Counted()}, longest_seconds=0.05)
    try:
        found = readiness.results()
    finally:
        released.set()
    assert found["store"] == {"status": "down", "error": "No answer within 0.05 seconds."}
    assert found["broker"] == {"status": "ok"}


def test_a_bug_in_a_check_is_down_and_tells_nothing():
    found = Readiness({"store": Counted(RuntimeError("secret"))}).results()
    assert found == {"store": {"status": "down", "error": "The check failed."}}


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (
            None,
            200,
            {"status": "ok", "redis": "ok", "checks": {"store": {"status": "ok"}}},
        ),
        (
            ServiceUnavailable("The job store cannot be reached."),
            503,
            {
                "status": "unavailable",
                "redis": "down",
                "checks": {
                    "store": {"status": "down", "error": "The job store cannot be reached."}
                },
            },
        ),
    ],
)
def test_the_route_says_so(store, monkeypatch, fault, status, body):
    monkeypatch.setattr(store, "ping", Counted(fault))
    app = create_app(build_services(load_settings({}), store=store))
    response = app.test_client().get("/readyz")
    assert (response.status_code, response.get_json()) == (status, body)


def test_a_broker_of_its_own_is_looked_at(store):
    settings = load_settings({"MUNINN_BROKER_URL": "redis://127.0.0.1:1/0"})
    found = build_services(settings, store=store).readiness.results()
    assert (found["store"]["status"], found["broker"]["status"]) == ("ok", "down")
