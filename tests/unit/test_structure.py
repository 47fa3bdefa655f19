"""The shape of the repository: sizes, names, queues, and what no file may hold."""

import ast
import inspect
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from celery import Celery

from common import queue
from common.broker import create_celery
from common.settings import Settings
from common.store import keys
from worker.app import _arguments
from worker.tasks import register_tasks

ROOT = Path(__file__).parents[2]
PRODUCT = ("api", "common", "worker")
LONGEST_FILE = 350
MEDIAN_FUNCTION = 10
LONG_FUNCTION = 36

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), place(path))


@cache
def function_lengths() -> dict[str, int]:
    """Lines of every function by file and line, its signature and docstring counted."""
    return {
        f"{place(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in python_files(*PRODUCT)
        for node in ast.walk(parsed(path))
        if isinstance(node, Function)
    }


def test_no_file_is_long() -> None:
    sizes = {
        place(path): len(path.read_text("utf-8").splitlines())
        for path in python_files(*PRODUCT, "tests")
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    lengths = function_lengths()
    assert statistics.median(lengths.values()) <= MEDIAN_FUNCTION
    long = {name: size for name, size in lengths.items() if size > LONG_FUNCTION}
    assert len(long) <= len(lengths) / 10, long


def test_no_module_is_a_drawer_of_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common_utils"}
    names = {part for path in python_files(*PRODUCT, "tests") for part in place(path).split("/")}
    assert not {name.removesuffix(".py") for name in names} & drawers


def test_no_module_shadows_the_standard_library() -> None:
    # Only what Python could find at the top, or beside a script, can stand in its way.
    tops = {path.stem for path in ROOT.glob("*.py")} | {*PRODUCT, "tests"}
    assert not tops & sys.stdlib_module_names
    inside = {path.stem for path in python_files(*PRODUCT)} - {"__init__", "__main__"}
    assert inside & sys.stdlib_module_names <= ABSOLUTE_NAMES_ARE_CLEAR


# Words of the field that the standard library uses too; reached as common.queue alone.
ABSOLUTE_NAMES_ARE_CLEAR = {"queue"}


def public(tree: ast.Module) -> list[ast.ClassDef | Function]:
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_")
    ]


# Each is described in the tree at the top of its module.
DRAWN = "common/errors.py"


@pytest.mark.parametrize("folder", PRODUCT)
def test_every_module_and_everything_public_in_it_says_what_it_is(folder: str) -> None:
    bare = []
    for path in python_files(folder):
        tree = parsed(path)
        bare += [place(path)] if not ast.get_docstring(tree) else []
        # What `main` of a __main__ does is what the module says that it does.
        is_known = path.name == "__main__.py" or place(path) == DRAWN
        bare += [
            f"{place(path)} {node.name}"
            for node in public(tree)
            if not ast.get_docstring(node) and not is_known
        ]
    assert bare == []


def test_the_tree_of_errors_draws_every_error() -> None:
    tree = parsed(ROOT / DRAWN)
    drawn = ast.get_docstring(tree) or ""
    assert [node.name for node in public(tree) if node.name not in drawn] == []


def queue_names() -> set[str]:
    """Every queue there is: the constants that end in _QUEUE."""
    constants = {**vars(keys), **vars(queue)}
    return {value for name, value in constants.items() if name.endswith("_QUEUE")}


def task_names() -> set[str]:
    """Every task that is sent: the constants of ``common.queue`` that name one."""
    values = (value for name, value in vars(queue).items() if name.isupper())
    return {value for value in values if isinstance(value, str)} - queue_names()


def test_every_queue_is_consumed_by_the_deployed_workers() -> None:
    processes = dict(re.findall(r"^(\w+):\s*(.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
    assert "muninn worker" in processes.values()
    (consumed,) = [a for a in _arguments(Settings()) if a.startswith("--queues=")]
    assert set(consumed.removeprefix("--queues=").split(",")) == queue_names()


def test_what_is_sent_without_naming_a_queue_goes_to_one_that_is_consumed() -> None:
    assert create_celery(Settings()).conf.task_default_queue in queue_names()


def test_every_task_that_is_sent_is_registered() -> None:
    app = Celery("test", set_as_current=False)
    # Registering asks nothing of what runs the jobs.
    register_tasks(app, *[None] * (len(inspect.signature(register_tasks).parameters) - 1))  # type: ignore[list-item]
    assert task_names()
    assert task_names() <= set(app.tasks)


@cache
def kept_files() -> list[Path]:
    """The files of the repository: those that git keeps, or would if it were told of them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository: what belongs to it cannot be told")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


# The brackets keep this file from being its own first finding.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.}/])/(?:hom[e]|roo[t]|User[s]|wor[k]|mn[t])/\w"
    r"|(?<![\w.}/])/tm[p]/\w"
    r"|--(?:extra-)?index-ur[l]|--trusted-hos[t]|artifactor[y]|\bnexu[s]\b|devp[i]"
)


def test_no_file_speaks_of_one_machine_or_of_its_package_index() -> None:
    found = {
        f"{place(path)}: {match.group()}"
        for path in kept_files()
        for match in OF_ONE_MACHINE.finditer(path.read_text("utf-8", "replace"))
    }
    assert found == set()


def test_no_file_holds_a_key() -> None:
    like_a_key = re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE KE[Y]")
    found = {place(p) for p in kept_files() if like_a_key.search(p.read_text("utf-8", "replace"))}
    assert found == set()
