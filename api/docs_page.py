"""The ``/docs`` page: the OpenAPI document as plain HTML, without scripts or foreign parts."""

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #3267c9; }
@media (prefers-color-scheme: dark) { :root { --accent: #8fb4ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; }
h3 { overflow-wrap: anywhere; margin: 2.5rem 0 .3rem; }
h4 { margin: 1.4rem 0 .3rem; }
a { color: var(--accent); }
code, pre { font: .9em/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; overflow-x: auto; padding: .7rem; }
nav ul { list-style: none; padding: 0; } nav li { overflow-wrap: anywhere; padding: .15rem 0; }
dl { margin: 0; } dt { overflow-wrap: anywhere; padding-top: .5rem; }
dd { border-bottom: 1px solid var(--line); margin: 0; padding: 0 0 .5rem; }
details { border-left: 2px solid var(--line); margin: .3rem 0; padding-left: .8rem; }
summary { cursor: pointer; color: var(--accent); }
.method { color: var(--accent); text-transform: uppercase; } .type { opacity: .7; }
.required { color: #c33; font-size: .85em; }
"""
_METHODS = ("get", "post", "put", "patch", "delete")


def render_docs(openapi: dict[str, Any]) -> str:
    """A whole HTML page that says what the OpenAPI document says."""
    return _Page(openapi).html()


class _Page:
    def __init__(self, openapi: dict[str, Any]) -> None:
        self.openapi = openapi

    def html(self) -> str:
        info = self.openapi["info"]
        title = f"{escape(info['title'])} {escape(info['version'])}"
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{title}</title><style>{_STYLE}</style></head><body>"
            f"<h1>{title}</h1>{_prose(info.get('description', ''))}"
            '<p>For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
            f"{self._contents()}{''.join(self._sections())}</body></html>"
        )

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for path, methods in self.openapi["paths"].items():
            for method in _METHODS:
                if method in methods:
                    yield method, path, methods[method]

    def _contents(self) -> str:
        lines = (
            f'<li><a href="#{escape(operation["operationId"])}">{_route(method, path)}</a> '
            f"{escape(operation.get('summary', ''))}</li>"
            for method, path, operation in self._operations()
        )
        return f"<nav><ul>{''.join(lines)}</ul></nav>"

    def _sections(self) -> Iterator[str]:
        for tag in self.openapi.get("tags", []):
            yield f"<h2>{escape(tag['name'].capitalize())}</h2>{_prose(tag['description'])}"
            for method, path, operation in self._operations():
                if tag["name"] in operation["tags"]:
                    yield self._operation(method, path, operation)

    def _operation(self, method: str, path: str, operation: dict[str, Any]) -> str:
        return (
            f'<section id="{escape(operation["operationId"])}"><h3>{_route(method, path)}</h3>'
            f"<p><strong>{escape(operation.get('summary', ''))}.</strong></p>"
            f"{_prose(operation.get('description', ''))}{_samples(operation)}"
            f"{self._parameters(operation)}{self._body(operation)}{self._responses(operation)}"
            "</section>"
        )

    def _parameters(self, operation: dict[str, Any]) -> str:
        entries = [
            _entry(
                found["name"],
                f"{_type(found['schema'])}, {found['in']}",
                _with_examples(found["description"], found["schema"]),
                required=found.get("required", False),
            )
            for found in map(self._resolve, operation.get("parameters", []))
        ]
        return f"<h4>Parameters</h4><dl>{''.join(entries)}</dl>" if entries else ""

    def _body(self, operation: dict[str, Any]) -> str:
        content = operation.get("requestBody", {}).get("content", {})
        return f"<h4>Request body</h4>{self._content(content)}" if content else ""

    def _responses(self, operation: dict[str, Any]) -> str:
        entries = []
        for status, reference in operation["responses"].items():
            found = self._resolve(reference)
            details = _prose(found["description"]) + self._headers(found)
            entries.append(
                f"<dt><code>{escape(status)}</code></dt>"
                f"<dd>{details}{self._content(found.get('content', {}))}</dd>"
            )
        return f"<h4>Responses</h4><dl>{''.join(entries)}</dl>"

    def _headers(self, response: dict[str, Any]) -> str:
        lines = (
            f"<li><code>{escape(name)}</code>: {_inline(self._resolve(header)['description'])}</li>"
            for name, header in response.get("headers", {}).items()
        )
        listed = "".join(lines)
        return f"<ul>{listed}</ul>" if listed else ""

    def _content(self, content: dict[str, Any]) -> str:
        return "".join(
            f"<p><code>{escape(media)}</code></p>{self._nested(body['schema'], ())}"
            for media, body in content.items()
        )

    def _nested(self, schema: dict[str, Any], above: tuple[str, ...]) -> str:
        """The objects a schema speaks of, each to be opened; none inside itself."""
        return "".join(
            f"<details><summary>{escape(name)}</summary>{self._object(name, above)}</details>"
            for name in _names(schema)
            if name not in above
        )

    def _object(self, name: str, above: tuple[str, ...]) -> str:
        schema = self.openapi["components"]["schemas"][name]
        required = schema.get("required", [])
        fields = "".join(
            _entry(
                field,
                _type(part),
                _with_examples(part.get("description", ""), part),
                required=field in required,
                below=self._nested(part, (*above, name)),
            )
            for field, part in schema.get("properties", {}).items()
        )
        return f"{_prose(schema.get('description', ''))}<dl>{fields}</dl>"

    def _resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self.openapi
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        resolved: dict[str, Any] = found
        return resolved


def _entry(name: str, kind: str, text: str, *, required: bool = False, below: str = "") -> str:
    mark = ' <span class="required">required</span>' if required else ""
    return (
        f'<dt><code>{escape(name)}</code> <span class="type">{escape(kind)}</span>{mark}</dt>'
        f"<dd>{text}{below}</dd>"
    )


def _with_examples(text: str, schema: dict[str, Any]) -> str:
    shown = [f"<code>{escape(str(example))}</code>" for example in schema.get("examples", [])]
    if "default" in schema:
        shown.append(f"default <code>{escape(str(schema['default']))}</code>")
    return _inline(text) + (f" ({', '.join(shown)})" if shown else "")


def _route(method: str, path: str) -> str:
    return f'<span class="method">{escape(method)}</span> <code>{escape(path)}</code>'


def _samples(operation: dict[str, Any]) -> str:
    return "".join(
        f"<h4>{escape(sample['label'])}</h4><pre>{escape(sample['source'])}</pre>"
        for sample in operation.get("x-codeSamples", [])
    )


def _names(schema: dict[str, Any]) -> list[str]:
    """Names of the objects in a schema, in order."""
    if "$ref" in schema:
        return [schema["$ref"].rpartition("/")[2]]
    parts = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return list(dict.fromkeys(name for part in parts for name in _names(part)))


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words: ``string or null``, ``array of Item or object``."""
    if "$ref" in schema:
        return _names(schema)[0]
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"array of {_type(schema['items'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part)


def _inline(text: str) -> str:
    """Escaped text, with what stands between backticks as code."""
    pieces = escape(text.replace("``", "`")).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
