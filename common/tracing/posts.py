"""A span around each post of a webhook.

By hand: the instrumentation of ``requests`` would note the whole URL, and a receiver's URL often
has its secret in it.
"""

from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from common.tracing.spans import carrier_of_here
from common.webhooks.sender import NotDelivered, Sender


class TracedSender(Sender):
    """A sender around another. Receivers are told of the trace, so that they can go on with it;
    they are the operator's own choice, unlike what a provider makes of a header."""

    def __init__(self, sender: Sender, tracer: Tracer) -> None:
        self.timeout_seconds = sender.timeout_seconds
        self._sender = sender
        self._tracer = tracer

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """See Sender."""
        host = urlsplit(url).hostname or ""
        attributes = {"http.request.method": "POST", "server.address": host}
        with self._tracer.start_as_current_span(
            "POST",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                status = self._sender.post(url, body, {**headers, **carrier_of_here()})
            except NotDelivered as error:
                span.set_attribute("error.type", error.reason)
                span.set_status(Status(StatusCode.ERROR, error.reason))
                raise
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_status(Status(StatusCode.ERROR))
            return status
