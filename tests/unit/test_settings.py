"""Settings: where values come from, what is refused, what is shown."""

import json
from pathlib import Path

import pytest

from common.masked_settings import mask_url, masked
from common.settings import Settings, SettingsError, load_settings

KEY = "sk-secret-value"


def test_with_nothing_set_the_defaults_hold_and_echo_is_the_provider() -> None:
    settings = load_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.default_provider == "echo"
    assert "redis_url" not in settings.model_fields_set


def test_platform_names_are_read() -> None:
    settings = load_settings({"PORT": "9000", "REDIS_URL": "redis://db:1/2"})
    assert (settings.port, settings.redis_url) == (9000, "redis://db:1/2")
    assert "redis_url" in settings.model_fields_set


def test_our_name_wins_over_the_platforms() -> None:
    assert load_settings({"PORT": "9000", "MUNINN_PORT": "9001"}).port == 9001


def test_an_empty_value_counts_as_not_set() -> None:
    settings = load_settings({"MUNINN_PORT": "", "PORT": "9000", "REDIS_URL": ""})
    assert settings.port == 9000
    assert "redis_url" not in settings.model_fields_set


def test_overrides_win_over_the_environment() -> None:
    assert load_settings({"MUNINN_PORT": "9001"}, port=9002).port == 9002


def test_log_level_is_read_in_any_case() -> None:
    assert load_settings({"MUNINN_LOG_LEVEL": "WARNING"}).log_level == "warning"


def test_the_broker_is_the_store_unless_it_is_set() -> None:
    assert load_settings({"REDIS_URL": "redis://a"}).effective_broker_url == "redis://a"
    environ = {"MUNINN_BROKER_URL": "amqp://b"}
    assert load_settings(environ).effective_broker_url == "amqp://b"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"MUNINN_PORT": "many"}, "MUNINN_PORT: Input should be a valid integer"),
        ({"PORT": "99999"}, "PORT: Input should be less than or equal to 65535"),
        ({"MUNINN_LEASE_SECONDS": "0"}, "MUNINN_LEASE_SECONDS: Input should be greater than 0"),
        ({"MUNINN_LOG_LEVEL": "loud"}, "MUNINN_LOG_LEVEL: Input should be 'debug', 'info'"),
        ({"REDIS_URL": "db:6379"}, "REDIS_URL: must be a URL such as redis://"),
        ({"MUNINN_BROKER_URL": "rabbit"}, "MUNINN_BROKER_URL: must be a URL such as amqp://"),
        (
            {"MUNINN_RESULT_TTL_SECONDS": "9", "MUNINN_MAX_RESULT_TTL_SECONDS": "8"},
            "MUNINN_RESULT_TTL_SECONDS: must not be above MUNINN_MAX_RESULT_TTL_SECONDS (8)",
        ),
        (
            {"MUNINN_DEFAULT_PROVIDER": "nobody"},
            "MUNINN_DEFAULT_PROVIDER: no provider 'nobody'; configured: echo",
        ),
        ({"MUNINN_PROVIDERS": "{"}, "MUNINN_PROVIDERS: not valid JSON: "),
        ({"MUNINN_PROVIDERS": "[]"}, "MUNINN_PROVIDERS: must be an object"),
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "ftp://a"}}'},
            "MUNINN_PROVIDERS.a.base_url: must start with http:// or https://",
        ),
        *[
            (
                {"MUNINN_PROVIDERS": json.dumps({"a": {"base_url": url}})},
                "MUNINN_PROVIDERS.a.base_url: must name a host",
            )
            for url in ("http://", "http://[a", "http://a:port", "http://a b", "http://a/\nb")
        ],
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "http://a", "auth_header": "a b"}}'},
            "MUNINN_PROVIDERS.a.auth_header: must be the name of a header",
        ),
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "http://a", "headers": {"b": "c\\n"}}}'},
            "MUNINN_PROVIDERS.a.headers: must be names and values",
        ),
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "http://a", "read_timeout_seconds": 1e9}}'},
            "MUNINN_PROVIDERS.a.read_timeout_seconds: Input should be less than",
        ),
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "http://a", "api_key": "€"}}'},
            "provider a: its key is not what HTTP can send",
        ),
        (
            {"MUNINN_PROVIDERS": '{"a": {"url": "http://a"}}'},
            "MUNINN_PROVIDERS.a.url: there is no such field",
        ),
        ({"MUNINN_PROVIDERS": '{"a": {}}'}, "provider a: base_url is missing"),
        ({"MUNINN_PROVIDERS": '{"A b": {"kind": "echo"}}'}, "provider name 'A b': use lower-case"),
        (
            {"MUNINN_PROVIDERS": '{"a": {"base_url": "http://a", "api_key_env": "A_KEY"}}'},
            "provider a: api_key_env names A_KEY, which is not set",
        ),
        (
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "api.openai.com"},
            "OPENAI_BASE_URL: openai.base_url: must start with http:// or https://",
        ),
        ({"MUNINN_PROVIDERS_FILE": "/no/such"}, "MUNINN_PROVIDERS_FILE: /no/such: No such file"),
    ],
)
def test_a_fault_is_one_line_that_names_its_variable(environ: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a\n", "not valid TOML: "),
        ("a = 5\n", "a: must be an object"),
        ("[a]\nread_timeout_seconds = 0\n", "a.read_timeout_seconds: Input should be greater"),
    ],
)
def test_a_fault_in_the_providers_file_names_the_file(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "rows.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings({"MUNINN_PROVIDERS_FILE": str(path)})
    assert str(caught.value).startswith(f"MUNINN_PROVIDERS_FILE: {path}: {line}")


def test_a_providers_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"MUNINN_PROVIDERS_FILE: .*not valid TOML"):
        load_settings({"MUNINN_PROVIDERS_FILE": str(path)})


@pytest.mark.parametrize(
    "environ",
    [
        {"REDIS_URL": KEY},
        {"MUNINN_PORT": KEY},
        {"MUNINN_PROVIDERS": f'{{"a": {{"base_url": "{KEY}"}}}}'},
        {"MUNINN_PROVIDERS": f'{{"a": {{"base_url": "http://a", "api_key_env": "{KEY}"}}}}'},
        {"MUNINN_PROVIDERS": f'{{"a": {{"base_url": "http://a", "api_key": ["{KEY}"]}}}}'},
        {"MUNINN_PROVIDERS": f'{{"a": "{KEY}"'},
    ],
)
def test_a_fault_never_shows_the_value(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert KEY not in str(caught.value)


def test_openai_and_azure_are_ready_when_their_keys_are_set() -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_API_KEY": "azure-key",
        "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com/",
    }
    settings = load_settings(environ)
    openai, azure = settings.providers["openai"], settings.providers["azure"]
    assert settings.default_provider == "openai"
    assert openai.base_url == "https://api.openai.com/v1"
    assert openai.api_key is not None
    assert openai.api_key.get_secret_value() == KEY
    assert azure.base_url == "https://name.openai.azure.com/openai/v1"
    assert azure.auth_header == "api-key"


def test_rows_of_the_variable_win_over_the_file_and_both_over_the_ready_ones(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.toml"
    path.write_text('[openai]\nbase_url = "http://file"\n[mine]\nbase_url = "http://file/v1/"\n')
    environ = {
        "OPENAI_API_KEY": KEY,
        "MUNINN_PROVIDERS_FILE": str(path),
        "MUNINN_PROVIDERS": '{"mine": {"base_url": "http://variable/v1/"}}',
        "MUNINN_DEFAULT_PROVIDER": "mine",
    }
    settings = load_settings(environ)
    assert settings.providers["openai"].base_url == "http://file"
    assert settings.providers["mine"].base_url == "http://variable/v1"
    assert settings.default_provider == "mine"
    assert list(settings.providers) == ["openai", "mine", "echo"]


def test_a_key_named_by_a_row_is_read_from_the_environment() -> None:
    row = {"a": {"base_url": "http://a", "api_key_env": "A_KEY"}}
    settings = load_settings({"MUNINN_PROVIDERS": json.dumps(row), "A_KEY": KEY})
    key = settings.providers["a"].api_key
    assert key is not None
    assert key.get_secret_value() == KEY


def test_nothing_secret_is_in_what_is_shown() -> None:
    row = {
        "base_url": f"https://user:{KEY}@host/v1?api-key={KEY}",
        "api_key": KEY,
        "headers": {"x-token": KEY},
    }
    environ = {
        "REDIS_URL": f"redis://:{KEY}@db:6379/0",
        "MUNINN_BROKER_URL": f"amqp://guest:{KEY}@mq//",
        "OPENAI_API_KEY": KEY,
        "MUNINN_PROVIDERS": json.dumps({"mine": row}),
    }
    settings = load_settings(environ)
    shown = json.dumps(masked(settings))
    assert KEY not in shown
    assert KEY not in repr(settings.providers["mine"].api_key)
    assert "redis://:***@db:6379/0" in shown
    assert "x-token" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user@host", "redis://user@host"),
        ("redis://user:p/@:w@host/1", "redis://user:***@host/1"),
        ("redis://host/0?password=secret&db=1", "redis://host/0?password=***&db=1"),
        ("sentinel://:one@a:1;sentinel://:two@b:2", "sentinel://:***@b:2"),
        ("http://[::1", "http://[::1"),
        ("", ""),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
