"""Virtual keys: their secrets, what they accept and allow, and the rows they come from."""

import re
from dataclasses import asdict, replace

import orjson
import pytest

from common.key_rows import KeyRow, hashed_rows, keys_of_rows
from common.masked_settings import masked
from common.settings import SettingsError, load_settings
from common.virtual_keys import VirtualKey, digest_of, is_model_pattern, new_secret
from tests.support.keys import make_key

NOW = 1_800_000_000
SECRET = "a-secret-of-my-own-a-secret-of-my-own"


def test_a_secret_is_recognised_and_has_256_random_bits() -> None:
    assert re.fullmatch(r"mk-[A-Za-z0-9_-]{43}", new_secret())
    assert new_secret() != new_secret()


def test_a_key_accepts_its_own_secret_alone() -> None:
    secret, key = make_key()
    assert key.accepts(digest_of(secret), NOW)
    assert not key.accepts(digest_of(secret + "x"), NOW)


@pytest.mark.parametrize("changes", [{"is_revoked": True}, {"expires_at": NOW}])
def test_a_revoked_or_expired_key_accepts_nothing(changes: dict[str, int]) -> None:
    secret, key = make_key()
    assert not replace(key, **changes).accepts(digest_of(secret), NOW)


def test_a_key_is_good_until_it_expires() -> None:
    secret, key = make_key(expires_at=NOW + 1)
    assert key.accepts(digest_of(secret), NOW)
    assert [key.status(NOW), key.status(NOW + 1)] == ["active", "expired"]


def test_the_secret_before_a_rotation_is_good_for_as_long_as_was_said() -> None:
    old, key = make_key()
    rotated = replace(key, digest="0" * 64, previous_digest=digest_of(old), previous_until=NOW + 5)
    assert rotated.accepts(digest_of(old), NOW + 4)
    assert not rotated.accepts(digest_of(old), NOW + 5)
    assert not replace(rotated, is_revoked=True).accepts(digest_of(old), NOW)


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        ((), ["openai/gpt-4o", "vllm/Qwen/Qwen3"], []),
        (("*",), ["openai/gpt-4o"], []),
        (("openai/*",), ["openai/gpt-4o", "openai/org/own"], ["azure/gpt-4o", "xopenai/gpt-4o"]),
        (("openai/gpt-4o",), ["openai/gpt-4o"], ["openai/gpt-4o-mini", "openai/GPT-4O"]),
        (("openai/gpt-*", "echo/hello"), ["openai/gpt-4o", "echo/hello"], ["openai/o3", "echo/x"]),
    ],
)
def test_models_are_matched_by_pattern(
    patterns: tuple[str, ...], allowed: list[str], refused: list[str]
) -> None:
    _, key = make_key(models=patterns)
    assert all(key.allows(*name.split("/", 1)) for name in allowed)
    assert not any(key.allows(*name.split("/", 1)) for name in refused)


@pytest.mark.parametrize("text", ["gpt-4o", "", "/x", "openai/", "openai"])
def test_a_pattern_that_could_never_match_is_none(text: str) -> None:
    assert not is_model_pattern(text)


def test_a_key_is_stored_without_its_secret_and_read_again() -> None:
    secret, key = make_key(models=("openai/*",), rpm=5, is_admin=True)
    assert secret not in key.to_json().decode()
    assert VirtualKey.from_json(key.to_json()) == key


def test_fields_of_a_newer_version_are_left_out() -> None:
    _, key = make_key()
    assert VirtualKey.from_json(orjson.dumps({**asdict(key), "budget": 5})) == key


def test_a_row_names_a_variable_and_keeps_its_hash_alone() -> None:
    rows = {"ci": KeyRow(secret_env="CI_KEY", models=["echo/*"], rpm=7)}
    hashed = hashed_rows(rows, {"CI_KEY": f"{SECRET}\n"})
    (key,) = keys_of_rows(hashed)
    assert (key.id, key.digest, key.models, key.rpm) == (
        "env:ci",
        digest_of(SECRET),
        ("echo/*",),
        7,
    )
    assert SECRET not in repr(hashed)


def settings(keys: object, **environ: str):
    return load_settings({"MUNINN_KEYS": orjson.dumps(keys).decode(), **environ})


def test_keys_of_the_environment_are_settings_and_masked() -> None:
    found = settings({"a": {"secret_env": "A", "expires_at": "2030-01-01T00:00:00Z"}}, A=SECRET)
    (key,) = keys_of_rows(found.keys)
    assert key.expires_at == 1_893_456_000
    shown = orjson.dumps(masked(found)).decode()
    assert SECRET not in shown
    assert digest_of(SECRET) not in shown


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"a": {}}, "MUNINN_KEYS: key a: give either hash or secret_env"),
        ({"a": {"hash": "0" * 64, "secret_env": "A"}}, "key a: give either hash or secret_env"),
        ({"a": {"hash": SECRET}}, "MUNINN_KEYS.a.hash: must be the SHA-256"),
        ({"a": {"secret_env": SECRET}}, "MUNINN_KEYS.a.secret_env: must be the name"),
        ({"a": {"secret_env": "MISSING"}}, "key a: MISSING must hold a random secret"),
        ({"a": {"secret_env": "SHORT"}}, "key a: SHORT must hold a random secret"),
        ({"A B": {"hash": "0" * 64}}, "a key's name"),
        ({"a": {"hash": "0" * 64, "models": ["gpt-4o"]}}, "MUNINN_KEYS.a.models: takes patterns"),
        ({"a": {"hash": "0" * 64, "rpm": 0}}, "MUNINN_KEYS.a.rpm"),
        ({"a": {"hash": "0" * 64, "expires_at": "2030-01-01"}}, "MUNINN_KEYS.a.expires_at"),
        ({"a": {"hash": "0" * 64, "oops": 1}}, "MUNINN_KEYS.a.oops"),
    ],
)
def test_a_wrong_row_is_named_and_never_its_secret(keys: object, words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(keys, SHORT="tooshort-secret")
    assert words in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "tooshort" not in str(raised.value)
