"""Relays a provider's events to a caller, and says so when they break off."""

import logging
from collections.abc import Iterator
from typing import Any

import orjson

from common.answers import Answer, Exchange, decorate
from common.completer import EventCompleter
from common.errors import CallAborted, InternalError, MuninnError
from common.pricing import response_cost
from common.providers.base import Batch, ProviderStream
from common.providers.events import TERMINAL_EVENTS
from common.sse import SseEvent

log = logging.getLogger(__name__)

_TERMINAL = frozenset(name.encode() for name in TERMINAL_EVENTS)


class RelayedStream:
    """A provider's stream, completed; an empty batch stands for a silence.

    Never raises while iterating: what breaks the stream becomes its last event. Closing it closes
    the upstream call. ``final_response`` is the response that the last event has brought, as soon
    as that event is given out, None if none did.
    """

    def __init__(self, stream: ProviderStream, exchange: Exchange) -> None:
        self._stream = stream
        self.exchange = exchange
        self._completer = EventCompleter(exchange)
        self._last: SseEvent | None = None
        self.headers = stream.headers

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self.batches()
        except CallAborted:
            return
        except MuninnError as error:
            yield [self._completer.error_event(error)]
        except Exception:
            log.exception("relaying a stream failed")
            yield [self._completer.error_event(InternalError("The gateway failed."))]
        finally:
            self.close()

    @property
    def final_response(self) -> dict[str, Any] | None:
        response = orjson.loads(self._last.data).get("response") if self._last else None
        return response if isinstance(response, dict) else None

    def batches(self) -> Iterator[Batch]:
        """The same, raising MuninnError for what breaks the stream. Does not close it."""
        for batch in self._stream:
            events, fault = self._completer.complete(batch)
            if events and events[-1].name in _TERMINAL:
                self._last = events[-1]
            if events or not batch:
                yield events
            if fault is not None:
                raise fault
            if self._last is not None:
                return

    def answer(self, response: dict[str, Any]) -> Answer:
        """The final response of this stream as the answer of a call that was not streamed."""
        extra_fields = self.exchange.extra_fields()
        cost = response_cost(self.exchange, response)
        body = decorate(response, orjson.dumps(response), extra_fields, cost)
        return Answer(body, self.headers, response, cost, self.exchange)

    def close(self) -> None:
        self._stream.close()
