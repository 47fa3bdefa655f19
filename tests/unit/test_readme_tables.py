"""The README's tables say what the code says."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from api import headers
from common.broker import create_celery
from common.provider_rows import ProviderRow
from common.providers.echo_script import markdown_table
from common.settings import Settings, load_settings, variable_of
from common.store.connection import hosts_of, master_of
from tests.support.markdown import blocks_of, table_under

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")


def cell(default: object) -> str:
    return "" if default in (None, "", {}) else f"`{default}`"


def row(name: str, model: type[BaseModel], field: str) -> str:
    info = model.model_fields[field]
    default = cell(info.get_default(call_default_factory=True))
    return f"| `{name}` | {default} | {info.description} |"


def test_the_settings_table_has_every_setting_with_default_and_description() -> None:
    rows = [row(variable_of(field), Settings, field) for field in Settings.model_fields]
    assert table_under(README, "variable").splitlines()[2:] == rows


def test_the_table_of_provider_rows_has_every_field() -> None:
    rows = [row(field, ProviderRow, field) for field in ProviderRow.model_fields]
    assert table_under(README, "field").splitlines()[2:] == rows


def test_the_echo_table_has_every_script() -> None:
    assert markdown_table() in TEXT


def test_the_header_table_has_every_header() -> None:
    known = {v for name, v in vars(headers).items() if name.isupper() and isinstance(v, str)}
    shown = re.findall(r"`([a-z-]+): ", table_under(README, "header"))
    assert sorted(shown) == sorted(known)


def test_the_provider_rows_shown_are_those_of_the_example_file() -> None:
    (block,) = [block for block in blocks_of(README) if block.language == "toml"]
    example = (ROOT / "providers.example.toml").read_text("utf-8")
    assert tomllib.loads(block.text) == tomllib.loads(example)


def urls(column: int) -> list[str]:
    rows = table_under(README, "what").splitlines()[2:]
    return [
        url for line in rows for url in re.findall(r"`(\w[\w+]*://[^`…]+)`", cells(line)[column])
    ]


def cells(line: str) -> list[str]:
    return [part.strip() for part in line.strip("|").split("|")]


@pytest.mark.parametrize("url", urls(1))
def test_every_redis_url_shown_is_accepted(url: str) -> None:
    broker = {"MUNINN_BROKER_URL": urls(2)[0]} if "cluster" in url else {}
    assert load_settings({"MUNINN_REDIS_URL": url, **broker}).redis_url == url
    if url.startswith("redis+"):
        assert len(hosts_of(url, 1)) == 2
    if url.startswith("redis+sentinel"):
        assert master_of(url) == "NAME"


@pytest.mark.parametrize("url", urls(2))
def test_every_broker_url_shown_is_accepted(url: str) -> None:
    settings = load_settings({"MUNINN_BROKER_URL": url})
    assert create_celery(settings).conf.broker_url == url


@pytest.mark.parametrize("field", ["front_threads", "worker_concurrency", "max_queued_jobs"])
def test_the_figures_of_capacity_are_the_defaults(field: str) -> None:
    default = Settings.model_fields[field].default
    assert f"`{variable_of(field)}`: {default}" in TEXT


def test_every_variable_named_exists() -> None:
    known = {variable_of(field) for field in Settings.model_fields}
    assert set(re.findall(r"\bMUNINN_[A-Z_]+\b", TEXT)) <= known


def test_the_platforms_claimed_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    (claimed,) = re.findall(r"CPython ([\d., and]+\d)\.", TEXT)
    assert re.findall(r"3\.\d+", claimed) == declared
