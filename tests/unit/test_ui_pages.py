"""The files of the web page: which are served and how, and what none of them may do."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import ui_pages
from api.app import create_app
from common.bootstrap import build_services
from common.settings import load_settings
from common.store.job_store import JobStore

FOLDER = Path(ui_pages.__file__).parent / "ui"
FILES = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir() if path.suffix in
         ui_pages.CONTENT_TYPES}  # fmt: skip
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
STYLES = {name: text for name, text in FILES.items() if name.endswith(".css")}
LONGEST_FILE = 350
LONGEST_SCRIPT_LINE = 110
# A style sheet is a list of small rules, and of no more use in pieces.
LONGEST_STYLES = 600


@pytest.fixture
def http(store: JobStore) -> FlaskClient:
    environ = {"MUNINN_REQUIRE_KEYS": "true"}
    return create_app(build_services(load_settings(environ), store=store)).test_client()


@pytest.mark.parametrize("path", ["/ui", "/ui/", *(f"/ui/{name}" for name in sorted(FILES))])
def test_every_file_is_public_and_kept_from_doing_harm(http: FlaskClient, path: str) -> None:
    if path.endswith(ui_pages.PAGE):
        assert http.get(path).status_code == 404, "the page has one address"
        return
    answer = http.get(path)
    name = path.removeprefix("/ui").strip("/") or ui_pages.PAGE
    assert answer.status_code == 200
    assert answer.get_data(as_text=True) == FILES[name]
    assert answer.content_type == ui_pages.CONTENT_TYPES[Path(name).suffix]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert {"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} < set(
        policy.split("; ")
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_who_has_a_file_already_is_not_sent_it_again(http: FlaskClient) -> None:
    first = http.get("/ui/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = http.get("/ui/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.data, again.headers["etag"]) == (
        304,
        b"",
        first.headers["etag"],
    )
    other = http.get("/ui/app.js", headers={"if-none-match": '"another"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/ui/__init__.py", "/ui/../app.py", "/ui/%2e%2e/app.py", "/ui/..%2fapp.py", "/ui//app.js"],
)
def test_nothing_else_can_be_named(http: FlaskClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "not_found"


class Reader(HTMLParser):
    """The tags of the page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def page_tags() -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(FILES[ui_pages.PAGE])
    return reader.tags


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    for tag, attributes in page_tags():
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_the_page_needs_its_own_files_alone() -> None:
    named = [a[name] for _, a in page_tags() for name in ("src", "href") if a.get(name)]
    own = {f"/ui/{name}" for name in FILES}
    assert {str(link) for link in named if not str(link).startswith("#")} <= own | {"/docs"}
    for name, text in FILES.items():
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|url\(|@import|//\w+\.\w+/", text), name


def imports_of(text: str) -> list[tuple[list[str], str]]:
    """The names that a script imports, and the file that each comes from."""
    found = re.findall(r'^import (?:\* as (\w+)|\{([^}]*)\}) from "\./([\w.]+)";$', text, re.M)
    return [
        ([whole] if whole else [name.strip() for name in names.split(",")], file)
        for whole, names, file in found
    ]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_import_what_is_there_and_use_it(name: str) -> None:
    text = SCRIPTS[name]
    for names, file in imports_of(text):
        assert file in SCRIPTS
        for word in names:
            assert len(re.findall(rf"\b{word}\b", text)) > 1, f"{word} is not used"
            is_module = f"* as {word}" in text
            exported = rf"^export (?:async )?(?:const|function|class)\*? {word}\b"
            assert is_module or re.search(exported, SCRIPTS[file], re.M), f"{file} has no {word}"
    assert text.count("import ") == len(imports_of(text)), "no other way to import"


# Whatever makes markup or code of a string. Text that a model wrote must never come near it.
DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser"
    r"|setHTML|srcdoc\s*=|\beval\b|new Function|javascript:|import\(|localStorage|document\.cookie"
    r"|setTimeout\(\s*[\"'`]|window\.open|postMessage|trustedTypes"
)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    assert DANGEROUS.findall(SCRIPTS[name]) == []


def test_attributes_are_set_in_one_place_that_refuses_the_dangerous_ones() -> None:
    # What app.js sets is written out there.
    assert {name for name, text in SCRIPTS.items() if "setAttribute" in text} == {
        "app.js",
        "dom.js",
    }
    assert "(on|style$|srcdoc$)" in SCRIPTS["dom.js"]


def test_the_key_is_kept_in_one_place() -> None:
    assert {name for name, text in SCRIPTS.items() if "sessionStorage" in text} == {"session.js"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_are_short_and_say_what_they_are(name: str) -> None:
    text = FILES[name]
    lines = text.splitlines()
    assert len(lines) <= (LONGEST_STYLES if name in STYLES else LONGEST_FILE)
    if name in SCRIPTS:
        assert lines[0].startswith("// ")
        assert max(map(len, lines)) <= LONGEST_SCRIPT_LINE
    if name in STYLES:
        assert lines[0].startswith("/* ")


def test_what_scripts_name_in_the_page_is_there() -> None:
    ids = {attributes.get("id") for _, attributes in page_tags()}
    named = {
        id for text in SCRIPTS.values() for id in re.findall(r'getElementById\("(\w+)"\)', text)
    }
    assert named <= ids
