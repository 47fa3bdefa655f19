"""Webhook endpoints as they are configured."""

import base64
import json

import pytest

from common.masked_settings import masked
from common.settings import SettingsError, load_settings
from common.webhook_rows import is_plain_url
from tests.support.webhooks import OLD_SECRET, SECRET, rows

HOOK = "https://hooks.example.com/in"
SHORT_SECRET = "whsec_" + base64.b64encode(b"x" * 23).decode()


def webhooks_of(row, **environ):
    return load_settings({"MUNINN_WEBHOOKS": json.dumps({"hook": row}), **environ}).webhooks


def secrets_of(row, **environ):
    return [s.get_secret_value() for s in webhooks_of(row, **environ)["hook"].secrets]


def test_a_secret_stands_in_the_row_or_in_a_variable_that_it_names() -> None:
    assert secrets_of({"url": HOOK, "secrets": [SECRET]}) == [SECRET]
    row = {"url": HOOK, "secrets": [SECRET], "secret_envs": ["OLD"]}
    assert secrets_of(row, OLD=OLD_SECRET) == [SECRET, OLD_SECRET]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"url": HOOK}, "webhook hook: give one secret, or two while you rotate them"),
        ({"url": HOOK, "secrets": [SECRET] * 3}, "webhook hook: give one secret, or two"),
        ({"url": HOOK, "secrets": ["s3cret"]}, "MUNINN_WEBHOOKS.hook.secrets: a secret is whsec_"),
        ({"url": HOOK, "secrets": [SHORT_SECRET]}, "MUNINN_WEBHOOKS.hook.secrets: a secret is"),
        ({"url": HOOK, "secrets": [SECRET[6:]]}, "MUNINN_WEBHOOKS.hook.secrets: a secret is"),
        ({"url": HOOK, "secrets": ["whsec_ä"]}, "MUNINN_WEBHOOKS.hook.secrets: a secret is"),
        ({"url": HOOK, "secret_envs": ["NO"]}, "webhook hook: secret_envs names NO, which is not"),
        ({"url": HOOK, "secret_envs": ["BAD"]}, "webhook hook: BAD: a secret is whsec_"),
        (
            {"url": HOOK, "secret_envs": [SECRET]},
            "MUNINN_WEBHOOKS.hook.secret_envs: must be names of environment variables",
        ),
        ({"url": "ftp://h", "secrets": [SECRET]}, "MUNINN_WEBHOOKS.hook.url: must be http://"),
        ({"url": HOOK, "secret": SECRET}, "MUNINN_WEBHOOKS.hook.secret: there is no such field"),
    ],
)
def test_a_fault_is_one_line_without_the_secret(row, line) -> None:
    with pytest.raises(SettingsError) as caught:
        webhooks_of(row, BAD="planted-bad-secret")
    assert str(caught.value).startswith(line)
    for secret in (SECRET, SECRET[6:], "s3cret", SHORT_SECRET, "planted-bad-secret"):
        assert secret not in str(caught.value)


def test_an_odd_name_and_broken_json_are_refused() -> None:
    with pytest.raises(SettingsError, match="webhook name 'A b': use lower-case"):
        load_settings({"MUNINN_WEBHOOKS": json.dumps({"A b": {"url": HOOK}})})
    with pytest.raises(SettingsError, match="MUNINN_WEBHOOKS: not valid JSON"):
        load_settings({"MUNINN_WEBHOOKS": "{"})


def test_secrets_are_masked_where_settings_are_shown() -> None:
    settings = load_settings({"MUNINN_WEBHOOKS": rows(f"{HOOK}?token=planted-token")})
    for shown in (json.dumps(masked(settings)), repr(settings), str(settings)):
        assert SECRET not in shown
        assert OLD_SECRET not in shown
    assert "planted-token" not in json.dumps(masked(settings))


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "http://127.0.0.1:8080/x", "https://[2001:db8::1]:1/", f"{HOOK}?a=b/c"],
)
def test_a_plain_url_is_taken(url) -> None:
    assert is_plain_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass@a.example/",
        "https://a.example/#part",
        "https://a.example/a/../b",
        "https://a.example/a/%2E%2e/b",
        "https://a.example/..",
        "https://a.example\\@b.example/",
        "https://a.example/a b",
        "https://a.example/\n",
        "https://A.example/",
        "https://ä.example/",
        "https:///a",
        "https://a.example:123456/",
        "//a.example/",
        "file:///etc/hosts",
        "",
    ],
)
def test_a_url_that_parsers_may_read_differently_is_refused(url) -> None:
    assert not is_plain_url(url)
