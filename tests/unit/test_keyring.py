"""The keyring: what a front knows of the keys, and when."""

import logging
from dataclasses import replace

import pytest

from common.bootstrap import build_services
from common.errors import ServiceUnavailable
from common.keyring import Keyring
from common.settings import Settings
from common.store.scripts import Scripts
from common.store.virtual_keys import KeyStore
from tests.support.keys import make_key, store_key


class Switched:
    """A store of keys that can be away."""

    def __init__(self, keys: KeyStore) -> None:
        self.keys = keys
        self.is_away = False
        self.looks = 0

    def version(self):
        return self._found().version()

    def all(self):
        self.looks += 1
        return self._found().all()

    def _found(self) -> KeyStore:
        if self.is_away:
            raise ServiceUnavailable("away")
        return self.keys


@pytest.fixture
def keys(redis_client) -> KeyStore:
    return KeyStore(redis_client, Scripts(redis_client))


@pytest.fixture
def switched(keys: KeyStore) -> Switched:
    return Switched(keys)


def test_without_keys_the_gateway_is_open_and_says_so_once(switched, caplog) -> None:
    ring = Keyring(switched, [])
    with caplog.at_level(logging.INFO):
        assert ring.is_open
        ring.refresh()
        ring.refresh()
    assert [record.getMessage() for record in caplog.records] == [
        "open: no keys are configured: count=0"
    ]


def test_the_first_key_closes_it_and_is_found_from_the_next_look_on(switched, keys) -> None:
    ring = Keyring(switched, [])
    assert ring.is_open
    secret, key = store_key(keys)
    ring.refresh()
    assert not ring.is_open
    assert ring.find(secret) == key
    assert ring.find("mk-another") is None


def test_looking_again_reads_the_keys_only_when_they_have_changed(switched, keys) -> None:
    ring = Keyring(switched, [])
    for _ in range(3):
        ring.refresh()
    assert switched.looks == 1
    store_key(keys)
    ring.refresh()
    assert switched.looks == 2


def test_a_revoked_key_is_gone_with_the_next_look(switched, keys) -> None:
    secret, key = store_key(keys)
    ring = Keyring(switched, [])
    assert ring.find(secret)
    assert keys.put(replace(key, is_revoked=True), key)
    ring.refresh()
    assert ring.find(secret) is None
    assert not ring.is_open


def test_while_the_store_is_away_the_last_snapshot_stays_good(switched, keys) -> None:
    secret, key = store_key(keys)
    ring = Keyring(switched, [])
    ring.refresh()
    switched.is_away = True
    assert not ring.is_open
    assert ring.find(secret) == key
    assert ring.find("mk-unknown") is None


@pytest.mark.parametrize("look", [lambda ring: ring.is_open, lambda ring: ring.find("mk-x")])
def test_a_store_that_was_never_reached_lets_nobody_in(switched, look) -> None:
    switched.is_away = True
    with pytest.raises(ServiceUnavailable):
        look(Keyring(switched, []))


def test_keys_of_the_settings_are_good_without_the_store(switched) -> None:
    switched.is_away = True
    secret, key = make_key()
    ring = Keyring(switched, [key])
    assert not ring.is_open
    assert ring.find(secret) == key


def test_a_store_that_lost_its_keys_does_not_open_the_gateway(switched, keys, redis_client) -> None:
    secret, _ = store_key(keys)
    ring = Keyring(switched, [])
    ring.refresh()
    redis_client.flushall()
    ring.refresh()
    assert not ring.is_open
    assert ring.find(secret) is None


def test_true_lets_nobody_in_without_keys_and_false_everybody_with_keys(switched, keys) -> None:
    assert not Keyring(switched, [], "true").is_open
    store_key(keys)
    switched.is_away = True
    assert Keyring(switched, [], "false").is_open


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ({}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "10.0.0.7", "require_keys": "false"}, True),
        ({"host": "0.0.0.0", "allowed_hosts": "gateway.example.com"}, False),
        ({"host": "0.0.0.0", "require_keys": "true"}, False),
    ],
)
def test_an_open_gateway_that_others_reach_warns_by_the_names_of_the_settings(
    store, caplog, settings, is_warned
) -> None:
    ring = build_services(Settings(**settings), store=store).keyring
    with caplog.at_level(logging.INFO):
        ring.start() if settings.get("require_keys") == "false" else ring.refresh()
    said = [record for record in caplog.records if "MUNINN_REQUIRE_KEYS" in record.getMessage()]
    assert [record.levelno for record in said] == [logging.WARNING] * is_warned
    assert all("MUNINN_ALLOWED_HOSTS" in record.getMessage() for record in said)


def test_a_key_is_stored_only_in_the_place_of_what_was_read(keys) -> None:
    _, first = make_key()
    _, second = make_key()
    assert keys.put(first, None)
    assert not keys.put(second, None)
    assert not keys.put(first, second)
    assert keys.put(second, first)
    assert keys.get("team") == second
