"""What goes over the wire, as pydantic models, and the check of a request."""

from common.schemas.batches import Batch, BatchItems, CreateBatch
from common.schemas.envelope import DeletedJob, Envelope, EnvelopePage, JobRetry
from common.schemas.error_body import ErrorBody
from common.schemas.items import Item
from common.schemas.operations import Health, Version
from common.schemas.overview import Overview, UsagePage
from common.schemas.parsing import check_create_request, parse_create_request, parse_object
from common.schemas.request import CreateResponse
from common.schemas.response import DeletedResponse, ItemList, Response, StreamEvent
from common.schemas.tools import Tool
from common.schemas.usage import Usage

__all__ = [
    "Batch",
    "BatchItems",
    "CreateBatch",
    "CreateResponse",
    "DeletedJob",
    "DeletedResponse",
    "Envelope",
    "EnvelopePage",
    "ErrorBody",
    "Health",
    "Item",
    "ItemList",
    "JobRetry",
    "Overview",
    "Response",
    "StreamEvent",
    "Tool",
    "Usage",
    "UsagePage",
    "Version",
    "check_create_request",
    "parse_create_request",
    "parse_object",
]
