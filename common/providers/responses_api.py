"""A provider that speaks the Responses API over HTTP."""

import copy
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Self, cast
from urllib.parse import urlsplit, urlunsplit

import orjson
import requests
from requests.exceptions import RequestException
from requests.utils import check_header_validity

from common.compact import compact_json
from common.errors import ProviderFailure
from common.provider_rows import ProviderRow
from common.providers.answers import answered_error, passed_on, redirected, response_object
from common.providers.base import ProviderAnswer, ProviderRequest, ProviderStream, UpstreamCall
from common.providers.events import response_of
from common.providers.exchange import Exchange
from common.providers.masking import mask_of
from common.providers.response_stream import DerivedStream, LiveStream, object_in
from common.providers.transport import UpstreamRequest

_MAX_ERROR_BYTES = 1024 * 1024
_STARTS_OF_EVENTS = (b"event:", b"data:", b"id:", b"retry:", b":")


class ResponsesApiProvider:
    """Calls ``{base_url}/responses`` as its row says. Any thread may call.

    ``session`` comes from ``upstream_session`` and may be shared by providers. Raises ValueError,
    without the value, when the row's URL, key or headers cannot be sent.
    """

    def __init__(self, name: str, row: ProviderRow, session: requests.Session) -> None:
        self.name = name
        self._row = row
        self._mask = mask_of(row)
        try:
            self._whole = _prepared(row, accept="application/json")
            self._streamed = _prepared(row, accept="text/event-stream")
            self._adapter = session.get_adapter(self._whole.url or "")
        except (RequestException, ValueError):
            raise ValueError(
                f"provider {name}: its base_url, key or headers hold what HTTP cannot send"
            ) from None

    @property
    def has_key(self) -> bool:
        """Whether its row says how to authenticate."""
        return self._row.auth_header in self._whole.headers

    def with_key(self, key: str) -> Self:
        """The same with another key, whatever its row says. It costs little."""
        keyed = copy.copy(self)
        keyed._mask = self._mask.with_secret(key)
        keyed._whole = _with_key(self._whole, self._row, key)
        keyed._streamed = _with_key(self._streamed, self._row, key)
        return keyed

    def create(self, request: ProviderRequest, call: UpstreamCall) -> ProviderAnswer:
        """Ask for a whole answer; one that comes as a stream all the same is gathered."""
        response = self._call(self._whole, request.body, call, stream=False)
        return self._answer(response)

    def _answer(self, response: requests.Response) -> ProviderAnswer:
        exchange = _exchange_of(response)
        try:
            if _is_event_stream(response):
                return self._gathered(response)
            raw = exchange.read_all(self._row.max_answer_bytes)
            body = response_object(raw, response.headers, self._mask)
            return ProviderAnswer(body, raw, passed_on(response.headers))
        finally:
            exchange.close()

    def stream(self, request: ProviderRequest, call: UpstreamCall) -> ProviderStream:
        """Ask for a stream; its events are derived where the answer comes whole all the same."""
        return self._events(self._call(self._streamed, request.body, call, stream=True), call)

    def _events(self, response: requests.Response, call: UpstreamCall) -> ProviderStream:
        exchange = _exchange_of(response)
        try:
            if _is_event_stream(response):
                return self._live(response, call.silence_seconds)
            raw = exchange.read_all(self._row.max_answer_bytes)
            body = response_object(raw, response.headers, self._mask)
            return DerivedStream(body, passed_on(response.headers))
        except BaseException:
            exchange.close()
            raise

    def _call(
        self,
        prepared: requests.PreparedRequest,
        body: dict[str, Any],
        call: UpstreamCall,
        *,
        stream: bool,
    ) -> requests.Response:
        """Send the request; an answer that is no 2xx is raised."""
        request = UpstreamRequest(call)
        request.method, request.url = prepared.method, prepared.url
        request.headers = prepared.headers
        request.body = compact_json({**body, "stream": stream})
        return self._send(request)

    def _send(self, request: UpstreamRequest) -> requests.Response:
        timeout = (self._row.connect_timeout_seconds, self._row.read_timeout_seconds)
        # Not session.send: it looks for cookies and redirects, which cost and are not wanted.
        response = self._adapter.send(request, stream=True, timeout=timeout)
        if not 200 <= response.status_code < 300:
            raise self._refusal(response)
        return response

    def _refusal(self, response: requests.Response) -> ProviderFailure:
        exchange = _exchange_of(response)
        try:
            if response.status_code < 400:
                return redirected(response.status_code, response.headers)
            body = _error_body(exchange)
            return answered_error(response.status_code, response.headers, body, self._mask)
        finally:
            exchange.close()

    def _live(self, response: requests.Response, silence_seconds: float | None) -> LiveStream:
        return LiveStream(
            _exchange_of(response),
            passed_on(response.headers),
            self._mask,
            max_event_bytes=self._row.max_answer_bytes,
            silence_seconds=silence_seconds,
        )

    def _gathered(self, response: requests.Response) -> ProviderAnswer:
        stream = self._live(response, silence_seconds=None)
        body = response_of(_objects(stream))
        return ProviderAnswer(body, orjson.dumps(body), stream.headers)


def _prepared(row: ProviderRow, accept: str) -> requests.PreparedRequest:
    parts = urlsplit(row.base_url)
    url = urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/responses"))
    headers = {
        "user-agent": f"muninn/{version('muninn')}",
        "content-type": "application/json",
        "accept": accept,
        "accept-encoding": "identity",
    }
    own = {name.lower(): value for name, value in row.headers.items()}
    prepared = requests.Request("POST", url, headers={**headers, **own}).prepare()
    if row.api_key:
        # After prepare, which would let credentials in the URL replace the key.
        prepared = _with_key(prepared, row, row.api_key.get_secret_value().strip())
    for field in prepared.headers.items():
        check_header_validity(field)
        "".join(map(str, field)).encode("latin-1")
    return prepared


def _with_key(
    prepared: requests.PreparedRequest, row: ProviderRow, key: str
) -> requests.PreparedRequest:
    keyed = prepared.copy()
    bearer = row.auth_header.lower() == "authorization"
    keyed.headers[row.auth_header.lower()] = f"Bearer {key}" if bearer else key
    return keyed


def _exchange_of(response: requests.Response) -> Exchange:
    return cast(Exchange, response.raw)


def _is_event_stream(response: requests.Response) -> bool:
    """Whether events follow; anything but a clear content type is judged by the first bytes."""
    if response.headers.get("content-type", "").lower().startswith("text/event-stream"):
        return True
    exchange = _exchange_of(response)
    return exchange.peek().lstrip(b"\xef\xbb\xbf\r\n ").startswith(_STARTS_OF_EVENTS)


def _error_body(exchange: Exchange) -> bytes:
    """What can be read of an error; its status counts even where its body is cut or endless."""
    try:
        return exchange.read_all(_MAX_ERROR_BYTES)
    except ProviderFailure:
        return b""


def _objects(stream: LiveStream) -> Iterator[dict[str, Any]]:
    for batch in stream:
        for event in batch:
            yield object_in(event.data)
