"""Refusing jobs when the store's server has no room."""

import pytest
from redis.exceptions import ResponseError

from common.errors import RateLimited
from common.store.cluster import LateCluster
from common.store.pressure import LOOK_EVERY_SECONDS, MemoryPressure

MB = 1024 * 1024


class Server:
    """What answers ``INFO memory``."""

    def __init__(self, used: int, limit: int = 0) -> None:
        self.memory = {"used_memory": used, "maxmemory": limit}
        self.asked = 0

    def info(self, section: str) -> dict[str, int]:
        assert section == "memory"
        self.asked += 1
        return self.memory


class Cluster(LateCluster):
    """Servers that answer together."""

    def __init__(self, *servers: Server) -> None:
        super().__init__([], {"socket_connect_timeout": 1})
        self.servers = servers

    def info(self, section: str, target_nodes: str) -> dict[str, dict[str, int]]:
        assert target_nodes == "primaries"
        return {str(n): server.info(section) for n, server in enumerate(self.servers)}


def is_full(client, max_bytes=0) -> bool:
    try:
        MemoryPressure(client, max_bytes).check()
    except RateLimited:
        return True
    return False


def test_the_refusal_says_why_and_when_to_come_again():
    with pytest.raises(RateLimited) as refusal:
        MemoryPressure(Server(used=2), 1).check()
    assert (refusal.value.status, refusal.value.code) == (429, "store_full")
    assert refusal.value.retry_after_seconds


def test_a_server_without_a_limit_is_never_full():
    assert not is_full(Server(used=10_000 * MB))


@pytest.mark.parametrize(("used", "full"), [(79, False), (81, True)])
def test_a_part_of_the_servers_own_limit_is_kept_for_results(used, full):
    assert is_full(Server(used * MB, limit=100 * MB)) is full


@pytest.mark.parametrize(("used", "full"), [(49, False), (51, True)])
def test_the_operators_limit_goes_before_the_servers(used, full):
    assert is_full(Server(used * MB, limit=1000 * MB), max_bytes=50 * MB) is full


def test_a_cluster_is_full_when_one_of_its_servers_is():
    roomy, tight = Server(1, 100), Server(99, 100)
    assert not is_full(Cluster(roomy, roomy))
    assert is_full(Cluster(roomy, tight))


def test_a_server_that_does_not_tell_is_not_full():
    class Hosted(Server):
        def info(self, section: str) -> dict[str, int]:
            raise ResponseError("unknown command")

    assert not is_full(Hosted(0))


def test_the_server_is_asked_once_in_a_while(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("common.store.pressure.time.monotonic", lambda: now[0])
    server = Server(used=1, limit=100)
    pressure = MemoryPressure(server, 0)
    pressure.check()
    server.memory["used_memory"] = 99
    pressure.check()
    assert server.asked == 1
    now[0] += LOOK_EVERY_SECONDS
    with pytest.raises(RateLimited):
        pressure.check()
    with pytest.raises(RateLimited):
        pressure.check()
    assert server.asked == 2
