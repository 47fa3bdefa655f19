"""The files around the code say what is true: versions, settings, processes, images."""

import importlib.metadata
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from common.settings import WELL_KNOWN, Settings, load_settings, variable_of

ROOT = Path(__file__).parents[2]


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def pins() -> dict[str, str]:
    lines = [line for line in text_of("constraints.txt").splitlines() if line[:1] != "#"]
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def direct() -> list[Requirement]:
    table = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = table["optional-dependencies"]
    lines = table["dependencies"] + extras["embedded"] + extras["tracing"] + extras["dev"]
    return [Requirement(line) for line in lines if not line.startswith("muninn")]


def needed(requirement: Requirement, seen: set[tuple[str, str]]) -> set[str]:
    """The distributions that a requirement brings, with its extras, as installed here."""
    names: set[str] = set()
    for extra in {"", *requirement.extras}:
        if (requirement.name, extra) in seen:
            continue
        seen.add((requirement.name, extra))
        names.add(canonicalize_name(requirement.name))
        for line in importlib.metadata.requires(requirement.name) or []:
            inner = Requirement(line)
            if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                names |= needed(inner, seen)
    return names


def test_everything_that_is_installed_is_pinned() -> None:
    seen: set[tuple[str, str]] = set()
    for requirement in direct():
        assert not needed(requirement, seen) - set(pins()) - {"pip"}  # which every venv brings


def test_pins_satisfy_the_declared_bounds() -> None:
    for requirement in direct():
        assert pins()[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_environment_example_has_every_setting_with_its_default() -> None:
    shown = dict(re.findall(r"^# (MUNINN_\w+)=(.*)$", text_of(".env.example"), re.MULTILINE))
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in Settings.model_fields.items()
    }
    assert shown == {
        variable_of(name): "" if value is None or value == {} else str(value)
        for name, value in defaults.items()
    }


def test_the_environment_example_sets_nothing_and_describes_each_setting() -> None:
    text = text_of(".env.example")
    assert all(line.startswith("#") for line in text.splitlines() if line)
    in_one_line = re.sub(r"\n# ", " ", text)
    for field in Settings.model_fields.values():
        assert (field.description or "?").replace("`", "") in in_one_line


def test_the_providers_example_loads() -> None:
    environ = {
        "MUNINN_PROVIDERS_FILE": str(ROOT / "providers.example.toml"),
        "OPENROUTER_API_KEY": "key",
    }
    rows = load_settings(environ).providers
    assert list(rows) == ["vllm", "ollama", "openrouter", "llamacpp", "echo"]
    assert rows["vllm"].models["qwen"] == "Qwen/Qwen3-8B"


def test_the_procfile_runs_both_doors_and_opens_neither_to_the_world() -> None:
    processes = dict(re.findall(r"^(\w+):\s*(.+)$", text_of("Procfile"), re.MULTILINE))
    assert processes == {"web": "muninn api", "worker": "muninn worker"}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text_of("docker-compose.yml"))
    return loaded


def test_compose_has_a_durable_store_and_scalable_workers() -> None:
    services = compose()["services"]
    assert set(services) == {"api", "worker", "redis"}
    assert not {"container_name", "ports"} & set(services["worker"])
    command = services["redis"]["command"]
    for option, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
        assert command[command.index(f"--{option}") + 1] == value
    assert services["redis"]["volumes"] == ["redis-data:/data"]
    assert "redis-data" in compose()["volumes"]


def test_compose_publishes_the_front_on_loopback_alone() -> None:
    services = compose()["services"]
    assert services["api"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "ports" not in services["redis"]


def test_compose_waits_for_the_store_and_for_running_jobs() -> None:
    for name in ("api", "worker"):
        service = compose()["services"][name]
        assert service["depends_on"] == {"redis": {"condition": "service_healthy"}}
        grace_seconds = int(service["stop_grace_period"].removesuffix("s"))
        assert grace_seconds > load_settings({}).shutdown_grace_seconds


def test_compose_passes_on_every_setting_but_those_that_it_decides_itself() -> None:
    decided = "REDIS_URL BROKER_URL HOST PORT DATA_DIR EMBEDDED_FSYNC PROVIDERS_FILE METRICS_DIR"
    left = {f"MUNINN_{name}" for name in [*decided.split(), "METRICS_HOST", "METRICS_PORT"]}
    expected = {variable_of(field) for field in Settings.model_fields} - left
    for name in ("api", "worker"):
        assert expected <= set(compose()["services"][name]["environment"])


def test_compose_names_only_variables_that_exist() -> None:
    known = {variable_of(field) for field in Settings.model_fields} | set(WELL_KNOWN.values())
    for name in ("api", "worker"):
        for variable in compose()["services"][name]["environment"]:
            assert variable in known or variable.startswith(("OPENAI_", "AZURE_OPENAI_", "OTEL_"))


def test_the_image_is_not_run_as_root_and_says_whether_it_is_healthy() -> None:
    lines = text_of("Dockerfile").splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    assert json.loads(lines[-2].removeprefix("ENTRYPOINT ")) == ["muninn"]
    assert json.loads(lines[-1].removeprefix("CMD ")) == ["api"]


def test_what_the_image_copies_reaches_its_build() -> None:
    kept = re.findall(r"^!(\S+)$", text_of(".dockerignore"), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", text_of("Dockerfile"), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(kept)
    assert all((ROOT / name).exists() for name in kept)


@pytest.mark.parametrize("target", ["run", "install", "dev-install", "test", "check", "clean"])
def test_make_help_names_the_target(target: str) -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CI": "true"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(rf"^  make {target} ", shown, re.MULTILINE)


def test_make_says_what_it_needs_when_there_is_no_python(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["make", "run", "PYTHON=", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "Muninn needs Python 3.11 or later; none was found." in ended.stderr
