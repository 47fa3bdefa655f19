"""``GET …/responses/{id}/input_items``: what a stored job was asked."""

from typing import Any

import orjson

from api.auth import identify
from api.finding import find_job
from api.incoming import Incoming
from api.paging import page_limit
from api.reply import Reply, json_reply
from common.bootstrap import Services
from common.errors import InvalidValue
from common.input_items import input_items


def list_items(services: Services, incoming: Incoming, response_id: str) -> Reply:
    """A page of the input, newest first unless ``order=asc``; ``after`` names the last item seen.

    The input of a long request is dropped when its job ends: then the list is empty.
    """
    record = find_job(services.store, identify(services, incoming), response_id)
    query = incoming.query()
    request = services.store.request_of(record.id)
    items = input_items(record.id, orjson.loads(request).get("input")) if request else []
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidValue("order takes asc or desc.", param="order")
    if order == "desc":
        items.reverse()
    return json_reply(_page(_after(items, query.get("after")), page_limit(query)))


def _after(items: list[dict[str, Any]], last_seen: str | None) -> list[dict[str, Any]]:
    if last_seen is None:
        return items
    ids = [item["id"] for item in items]
    if last_seen not in ids:
        raise InvalidValue("after names no item of this response.", param="after")
    return items[ids.index(last_seen) + 1 :]


def _page(items: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    page = items[:limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > limit,
    }
