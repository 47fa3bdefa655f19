"""What a URL of the store says, and the client that is made of it."""

import pytest
from redis import BlockingConnectionPool, UnixDomainSocketConnection
from redis.sentinel import SentinelConnectionPool

from common.errors import ServiceUnavailable
from common.settings import SettingsError, load_settings
from common.store.cluster import is_cluster
from common.store.connection import (
    CLUSTER_PARTITIONS,
    MAX_CONNECTIONS,
    SOCKET_TIMEOUT_SECONDS,
    connect,
    connect_readers,
    credentials_of,
    database_of,
    hosts_of,
    master_of,
    partitions_of,
)
from common.store.scripts import store_errors
from tests.support.processes import HOST, free_port


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("redis+cluster://a", [("a", 6379)]),
        ("redis+cluster://a:1,b,c:3", [("a", 1), ("b", 6379), ("c", 3)]),
        ("redis+cluster://u:p%2C@a:1,b:2/0?x=y", [("a", 1), ("b", 2)]),
        ("redis+cluster://[::1]:7,[fe80::2]", [("::1", 7), ("fe80::2", 6379)]),
        ("redis+cluster://a:1,,b:2,", [("a", 1), ("b", 2)]),
    ],
)
def test_a_url_may_name_several_hosts(url, hosts):
    assert hosts_of(url, 6379) == hosts


@pytest.mark.parametrize("url", ["redis+cluster://", "redis+cluster://a:port", "redis+cluster://,"])
def test_hosts_that_cannot_be_told_are_a_value_error(url):
    with pytest.raises(ValueError, match=r"host|Port"):
        hosts_of(url, 6379)


def test_credentials_are_decoded():
    url = "redis+sentinel://us%40er:p%3Aw@a:1,b:2/0?master=m"
    assert credentials_of(url) == {"username": "us@er", "password": "p:w"}
    assert credentials_of("redis+cluster://a") == {}
    assert credentials_of("redis+cluster://:p@a") == {"password": "p"}


@pytest.mark.parametrize(("path", "number"), [("", 0), ("/", 0), ("/7", 7), ("/x", 0)])
def test_the_path_is_the_number_of_the_database(path, number):
    assert database_of(f"redis+sentinel://a{path}?master=m") == number


def test_a_sentinel_url_needs_the_name_of_a_master():
    assert master_of("redis+sentinel://a/0?x=y&master=mine") == "mine"
    with pytest.raises(ValueError, match="master"):
        connect("redis+sentinel://a/0")


def test_only_a_cluster_has_several_partitions():
    assert partitions_of("redis://a") == 1
    assert partitions_of("redis+sentinel://a?master=m") == 1
    assert partitions_of("redis+cluster://a") == CLUSTER_PARTITIONS


def test_threads_take_turns_on_a_bounded_number_of_connections():
    pool = connect("redis://a/2").connection_pool
    assert isinstance(pool, BlockingConnectionPool)
    assert pool.max_connections == MAX_CONNECTIONS
    assert pool.timeout == SOCKET_TIMEOUT_SECONDS
    assert pool.connection_kwargs["db"] == 2
    assert connect_readers("redis://a", 7).connection_pool.max_connections == 7


def test_a_socket_is_a_store_too():
    pool = connect("unix:///run/redis.sock?db=1").connection_pool
    assert pool.connection_class is UnixDomainSocketConnection
    assert pool.connection_kwargs["path"] == "/run/redis.sock"


def test_a_sentinel_client_takes_turns_too_and_knows_its_password():
    pool = connect("redis+sentinel://:p@a:1,b/3?master=mine").connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert isinstance(pool, BlockingConnectionPool)
    assert pool.service_name == "mine"
    assert pool.connection_kwargs["password"] == "p"
    assert pool.connection_kwargs["db"] == 3


def test_a_cluster_is_not_asked_before_it_is_used():
    client = connect(f"redis+cluster://{HOST}:{free_port()}")
    assert is_cluster(client)
    with pytest.raises(ServiceUnavailable), store_errors():
        client.ping()
    client.close()


def test_a_sentinel_that_is_away_is_service_unavailable():
    client = connect(f"redis+sentinel://{HOST}:{free_port()}/0?master=m")
    with pytest.raises(ServiceUnavailable), store_errors():
        client.ping()


def test_a_cluster_needs_a_broker_of_its_own():
    with pytest.raises(SettingsError, match="MUNINN_BROKER_URL"):
        load_settings({"MUNINN_REDIS_URL": "redis+cluster://a"})


def test_a_url_of_another_kind_is_refused_by_name():
    with pytest.raises(SettingsError, match="MUNINN_REDIS_URL"):
        load_settings({"MUNINN_REDIS_URL": "rediss+cluster://a"})
