"""A provider with a background mode of its own: what it was asked once can be found again."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import orjson

from common.providers.base import (
    Provider,
    ProviderAnswer,
    ProviderRequest,
    ProviderStream,
    UpstreamCall,
)
from common.providers.responses_api import ResponsesApiProvider
from common.providers.transport import UpstreamRequest


@runtime_checkable
class BackgroundProvider(Provider, Protocol):
    """Answers a submit at once with a response that has an id, and by that id ever after.

    ``key`` is the same for each submit of one job, for servers that know ``Idempotency-Key``.
    """

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer: ...

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream: ...

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer: ...

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        """The events of a response that was submitted as a stream, all or those after a number."""
        ...

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None: ...


class BackgroundApiProvider(ResponsesApiProvider):
    """The Responses API with ``background: true``, as OpenAI and Azure OpenAI have it."""

    def submit(self, request: ProviderRequest, call: UpstreamCall, key: str) -> ProviderAnswer:
        return self._answer(self._send(self._submission(request, call, key, stream=False)))

    def submit_stream(
        self, request: ProviderRequest, call: UpstreamCall, key: str
    ) -> ProviderStream:
        return self._events(self._send(self._submission(request, call, key, stream=True)), call)

    def retrieve(self, upstream_id: str, call: UpstreamCall) -> ProviderAnswer:
        return self._answer(self._send(self._about("GET", upstream_id, "", call)))

    def retrieve_stream(
        self, upstream_id: str, call: UpstreamCall, after: int | None = None
    ) -> ProviderStream:
        query = {"stream": "true"} | ({} if after is None else {"starting_after": str(after)})
        return self._events(self._send(self._about("GET", upstream_id, "", call, query)), call)

    def cancel(self, upstream_id: str, call: UpstreamCall) -> None:
        self._answer(self._send(self._about("POST", upstream_id, "/cancel", call)))

    def _submission(
        self, request: ProviderRequest, call: UpstreamCall, key: str, *, stream: bool
    ) -> UpstreamRequest:
        prepared = self._streamed if stream else self._whole
        submission = UpstreamRequest(call)
        submission.method, submission.url = prepared.method, prepared.url
        submission.headers = prepared.headers.copy()
        submission.headers["idempotency-key"] = key
        body = {**request.body, "background": True, "store": True, "stream": stream}
        submission.body = orjson.dumps(body)
        return submission

    def _about(
        self,
        method: str,
        upstream_id: str,
        rest: str,
        call: UpstreamCall,
        query: Mapping[str, str] | None = None,
    ) -> UpstreamRequest:
        """A request about a response that was submitted before."""
        prepared = self._streamed if query else self._whole
        parts = urlsplit(str(prepared.url))  # a base URL may have a query of its own
        asked = "&".join(filter(None, [parts.query, urlencode(query or {})]))
        path = f"{parts.path}/{quote(upstream_id, safe='')}{rest}"
        request = UpstreamRequest(call)
        request.method = method
        request.url = urlunsplit(parts._replace(path=path, query=asked))
        request.headers = prepared.headers
        request.body = b""
        return request
