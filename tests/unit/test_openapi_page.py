"""The /docs page: complete, self-contained, and safe to open."""

import copy
from html.parser import HTMLParser

import pytest

from api.docs_page import render_docs
from api.openapi import build_openapi

DOCUMENT = build_openapi("1.2.3")
PAGE = render_docs(DOCUMENT)
VOID = {"meta", "!doctype"}


class Reader(HTMLParser):
    """Notes tags, links and text; fails on tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


READ = read(PAGE)


def test_the_page_is_well_formed() -> None:
    assert READ.open == []
    assert PAGE.startswith("<!doctype html>")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    assert READ.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed"})
    assert not [name for name, _ in READ.attributes if name == "src" or name.startswith("on")]
    links = [value for name, value in READ.attributes if name == "href" and value]
    assert all(link.startswith("#") or link == "openapi.json" for link in links)
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_the_page_fits_a_phone() -> None:
    assert ("name", "viewport") in READ.attributes


def test_links_lead_to_sections_of_the_page() -> None:
    ids = [value for name, value in READ.attributes if name == "id"]
    links = [
        value[1:] for name, value in READ.attributes if name == "href" and value and value[0] == "#"
    ]

    assert links == ids
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", ["schemas", "parameters", "headers"])
def test_every_component_is_shown(kind: str) -> None:
    assert [name for name in DOCUMENT["components"][kind] if name not in READ.text] == []


def test_every_route_example_and_error_is_shown() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert path in READ.text
            assert operation["summary"] in READ.text
            assert all(f"<code>{status}</code>" in PAGE for status in operation["responses"])
            for sample in operation.get("x-codeSamples", []):
                assert sample["source"] in READ.text


def test_every_field_of_the_request_is_shown_with_its_description() -> None:
    for name, part in DOCUMENT["components"]["schemas"]["CreateResponse"]["properties"].items():
        assert f"<code>{name}</code>" in PAGE
        assert part["description"].replace("`", "") in READ.text


def test_whatever_the_document_says_is_escaped() -> None:
    evil = "<script>alert('\"&')</script>"
    document = copy.deepcopy(DOCUMENT)
    document["info"].update(title=evil, description=evil, version=evil)
    document["tags"][0]["description"] = evil
    operation = document["paths"].pop("/version")["get"]
    operation.update(summary=evil, description=f"`{evil}`", operationId=f'"{evil}')
    operation["x-codeSamples"] = [{"label": evil, "source": evil}]
    document["paths"][f"/{evil}"] = {"get": operation}
    document["components"]["schemas"]["Version"]["properties"] = {
        evil: {"type": evil, "description": evil, "examples": [evil], "default": evil}
    }

    reader = read(render_docs(document))

    assert "script" not in reader.tags
    assert reader.open == []
    assert evil in reader.text


def test_a_schema_that_contains_itself_is_shown_once() -> None:
    document = copy.deepcopy(DOCUMENT)
    reference = {"$ref": "#/components/schemas/Version"}
    document["components"]["schemas"]["Version"]["properties"]["older"] = reference

    assert read(render_docs(document)).open == []
