"""The web page at ``/ui``: static files that hold no data.

All that the page shows it asks for on the ordinary routes, with the key that its user gave it. So
the files are public, and what may be seen is decided where it is for everybody else.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files

from api.incoming import Incoming
from api.reply import Reply
from common.bootstrap import Services

PAGE = "index.html"
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# What a model wrote can be nothing but text here: no markup is ever parsed from a string (trusted
# types), and no script or style runs that is not one of these files.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Kept, but asked for each time: after a deploy no page is made of files of two versions.
    "cache-control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent; the tag is made of its bytes."""

    body: bytes
    content_type: str
    etag: str


def names() -> list[str]:
    """The files of the page. There is no other way to name one: a path in a request never is."""
    found = (entry.name for entry in files("api.ui").iterdir())
    return sorted(name for name in found if _suffix(name) in CONTENT_TYPES)


def routes() -> list[tuple[str, str, Callable[[Services, Incoming], Reply]]]:
    """A route for the page, and one for each of its files."""
    parts = [
        ("GET", f"/ui/{name}", partial(serve_file, name=name)) for name in names() if name != PAGE
    ]
    return [("GET", "/ui", partial(serve_file, name=PAGE)), *parts]


def serve_file(services: Services, incoming: Incoming, name: str) -> Reply:
    """``GET /ui`` and ``GET /ui/{name}``: the file, or 304 for who has it already."""
    file = _load(name)
    headers = HEADERS | {"etag": file.etag}
    if file.etag in (incoming.header("if-none-match") or ""):
        return Reply(304, b"", headers, file.content_type)
    return Reply(200, file.body, headers, file.content_type)


@cache
def _load(name: str) -> PageFile:
    body = (files("api.ui") / name).read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return PageFile(body, CONTENT_TYPES[_suffix(name)], etag)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""
