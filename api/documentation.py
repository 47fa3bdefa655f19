"""The OpenAPI document and the page made from it."""

from functools import cache

import orjson

from api.docs_page import render_docs
from api.incoming import Incoming
from api.openapi import build_openapi
from api.reply import Reply
from common.bootstrap import Services
from common.version import version

# The page is self-contained and runs no script.
PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


@cache
def _document() -> bytes:
    return orjson.dumps(build_openapi(version()))


@cache
def _page() -> bytes:
    return render_docs(build_openapi(version())).encode()


def openapi_document(services: Services, incoming: Incoming) -> Reply:
    """``GET /openapi.json``."""
    return Reply(200, _document())


def docs_page(services: Services, incoming: Incoming) -> Reply:
    """``GET /docs``."""
    return Reply(200, _page(), PAGE_HEADERS, "text/html; charset=utf-8")
