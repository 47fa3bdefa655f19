"""Every setting with values that it cannot have, and with those that look odd and are good."""

from pathlib import Path

import pytest

from common.settings import Settings, SettingsError, load_settings, variable_of

ZERO_MEANS_NONE = {
    "port",
    "metrics_port",
    "keep_input_bytes",
    "max_store_bytes",
    "shutdown_grace_seconds",
}
NO_NUMBERS = ["x", "-1", " ", "nan", "inf", "1e300", "9" * 30, "[]"]
NO_ADDRESSES = [" ", "gateway.example.com", "[::1]", "300.1.1.1", "0.0.0.0:80", "*"]
NO_ROWS = ["{", "5", "[" * 100_000, '{"a": 5}', '{"A b": {}}', '{"a": {"b": 5}}']
# What no check can tell from a good value is not here: any text may be a path or a name.
WRONG: dict[str, list[str]] = {
    "redis_url": [
        " ",
        "db:6379",
        "http://db",
        "REDIS://db",
        "redis://",
        "redis://db:port/0",
        "redis://db:0",
        "redis://db:99999",
        "redis://[::1",
        "redis://:pass/word@db",
        "redis://db/first",
        "redis://db?socket=1",
        "redis://db?ssl_ca_certs=a",
        "rediss://db?ssl_cert_reqs=CERT_REQUIRED",
        "rediss+cluster://db",
        "redis+sentinel://db",
        "redis+cluster://,",
        "unix:///socket?password=a",
    ],
    "broker_url": [" ", "rabbit", "://", "sqs://", "amqp://mq:port//", "redis+cluster://db"],
    "host": NO_ADDRESSES,
    "metrics_host": NO_ADDRESSES,
    "allowed_hosts": [
        " ",
        ",",
        "http://a.example",
        "a.example:80",
        "*.example",
        "a b",
        "a..b",
        "/",
    ],
    "metrics_dir": [f"{__file__}/counts", __file__, "a" * 5000],
    "metrics_token": [" ", "two words", "schlüssel", "line\nend"],
    "providers_file": [" ", __file__, "/"],
    "default_provider": [" ", "nobody", "0"],
    "embedded_fsync": ["x", " ", "0"],
    "encryption_keys": ["x", " ", ",", "0"],
    "require_keys": ["x", " ", "0"],
    "log_level": ["x", " ", "0"],
    "log_format": ["x", " ", "0"],
    "fallbacks": ["{", "5", '{"a": 5}', '{"none/*": ["echo/hello"]}', '{"echo/*": ["none/a"]}'],
    "providers": NO_ROWS,
    "webhooks": NO_ROWS,
    "keys": NO_ROWS,
}


def wrong_values() -> list[tuple[str, str]]:
    pairs = [(name, value) for name, values in WRONG.items() for value in values]
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, bool):
            pairs += [(name, value) for value in ("x", "2", " ", "[]")]
        elif isinstance(field.default, int | float):
            pairs += [(name, value) for value in NO_NUMBERS]
            pairs += [(name, "0")] * (name not in ZERO_MEANS_NONE)
    return pairs


@pytest.mark.parametrize(("field", "value"), wrong_values())
def test_every_setting_refuses_what_is_no_value_for_it(field: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({variable_of(field): value})
    names = (variable_of(field), "provider name", "webhook name", "webhook a")
    assert str(caught.value).startswith(names)
    assert "\n" not in str(caught.value)


def test_every_setting_has_its_wrong_values() -> None:
    tried = {field for field, _ in wrong_values()}
    assert set(Settings.model_fields) - tried == {"data_dir"}  # any path may be one


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_hosts", "*"),
        ("allowed_hosts", "gateway.example.com, Other.example ,host_1"),
        ("host", "::"),
        ("redis_url", "rediss://:p%2Fw@db:6380/2?ssl_ca_certs=/a/b.pem&ssl_check_hostname=false"),
        ("redis_url", "unix:///run/redis.sock?db=1"),
        ("redis_url", "redis+sentinel://:p@[::1]:1,b/3?master=mine"),
        ("broker_url", "amqps://user:password@mq:5671/team"),
        ("metrics_dir", "counts/of/all"),
    ],
)
def test_what_is_a_value_is_taken(field: str, value: str) -> None:
    assert str(getattr(load_settings({variable_of(field): value}), field)) == value


def test_localhost_is_an_address_too() -> None:
    assert load_settings({"MUNINN_HOST": "localhost"}).host == "127.0.0.1"


def test_to_look_at_the_settings_makes_no_folder(tmp_path: Path) -> None:
    load_settings({"MUNINN_METRICS_DIR": str(tmp_path / "a" / "b")})
    assert list(tmp_path.iterdir()) == []
