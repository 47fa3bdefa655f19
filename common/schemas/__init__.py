"""What goes over the wire, as pydantic models, and the check of a request."""

from common.schemas.error_body import ErrorBody
from common.schemas.items import Item
from common.schemas.operations import Health, Version
from common.schemas.parsing import parse_create_request
from common.schemas.request import CreateResponse
from common.schemas.response import DeletedResponse, ItemList, Response, StreamEvent
from common.schemas.tools import Tool
from common.schemas.usage import Usage

__all__ = [
    "CreateResponse",
    "DeletedResponse",
    "ErrorBody",
    "Health",
    "Item",
    "ItemList",
    "Response",
    "StreamEvent",
    "Tool",
    "Usage",
    "Version",
    "parse_create_request",
]
