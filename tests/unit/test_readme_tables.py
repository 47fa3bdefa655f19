"""The tables of README and docs say what the code says."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from api import headers
from api.app import ENVELOPE_ROUTES, OPERATIONS_ROUTES, RESPONSES_ROUTES
from common.broker import create_celery
from common.provider_rows import ProviderRow
from common.providers.echo_script import markdown_table
from common.settings import Settings, load_settings, variable_of
from common.store.connection import hosts_of, master_of
from tests.support.markdown import anchors_of, blocks_of, table_under, targets_of

ROOT = Path(__file__).parents[2]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [README, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
ECHO, HTTP, PROVIDERS, SETTINGS, DEPLOYING, PERFORMANCE = (
    DOCS / f"{page}.md"
    for page in ("echo", "http", "providers", "settings", "deploying", "performance")
)


def cell(default: object) -> str:
    return "" if default in (None, "", {}) else f"`{default}`"


def row(name: str, model: type[BaseModel], field: str) -> str:
    info = model.model_fields[field]
    default = cell(info.get_default(call_default_factory=True))
    return f"| `{name}` | {default} | {info.description} |"


def test_the_settings_table_has_every_setting_with_default_and_description() -> None:
    rows = [row(variable_of(field), Settings, field) for field in Settings.model_fields]
    assert table_under(SETTINGS, "variable").splitlines()[2:] == rows


def test_the_table_of_provider_rows_has_every_field() -> None:
    rows = [row(field, ProviderRow, field) for field in ProviderRow.model_fields]
    assert table_under(PROVIDERS, "field").splitlines()[2:] == rows


def test_the_echo_table_has_every_script() -> None:
    assert markdown_table() in ECHO.read_text("utf-8")


def test_the_header_table_has_every_header() -> None:
    known = {v for name, v in vars(headers).items() if name.isupper() and isinstance(v, str)}
    shown = re.findall(r"`([a-z-]+): ", table_under(HTTP, "header"))
    assert sorted(shown) == sorted(known)


def test_the_table_of_routes_has_every_route() -> None:
    known = [*RESPONSES_ROUTES, *ENVELOPE_ROUTES, *OPERATIONS_ROUTES]
    paths = {f"{method} {re.sub('<[a-z_:]+>', '{id}', path)}" for method, path, _ in known}
    shown = re.findall(r"`([A-Z]+ /[^`]+)`", table_under(HTTP, "route"))
    assert sorted(shown) == sorted(paths)


def rows_shown() -> list[str]:
    return [block.text for block in blocks_of(PROVIDERS) if block.language == "toml"]


def test_the_provider_rows_shown_first_are_those_of_the_example_file() -> None:
    example = (ROOT / "providers.example.toml").read_text("utf-8")
    assert tomllib.loads(rows_shown()[0]) == tomllib.loads(example)


@pytest.mark.parametrize("shown", rows_shown())
def test_every_provider_row_shown_is_accepted(shown: str, tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(shown, "utf-8")
    keys = {name: f"key {name}" for name in re.findall(r'"(\w+_KEY(?:_\w)?)"', shown)}
    loaded = load_settings({"MUNINN_PROVIDERS_FILE": str(file), **keys}).providers
    assert tomllib.loads(shown).keys() <= loaded.keys()


def urls(column: int) -> list[str]:
    rows = table_under(SETTINGS, "what").splitlines()[2:]
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
    assert f"`{variable_of(field)}`: {default}" in DEPLOYING.read_text("utf-8")


def test_the_figures_of_the_comparison_are_those_that_were_measured() -> None:
    times = r"\d+ \N{MULTIPLICATION SIGN}"
    figures = re.findall(times, README.read_text("utf-8"))
    assert figures
    assert set(figures) <= set(re.findall(times, PERFORMANCE.read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_named_exists(page: Path) -> None:
    known = {variable_of(field) for field in Settings.model_fields}
    assert set(re.findall(r"\bMUNINN_[A-Z_]+\b", page.read_text("utf-8"))) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in targets_of(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors_of(target), (target, anchor)


def test_the_readme_leads_to_every_page() -> None:
    linked = {target.resolve() for target, _ in targets_of(README)}
    assert {page.resolve() for page in DOCS.glob("*.md")} <= linked


def test_the_platforms_claimed_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    (claimed,) = re.findall(r"CPython ([\d., and]+\d)\.", README.read_text("utf-8"))
    assert re.findall(r"3\.\d+", claimed) == declared
