"""A request as the handlers see it, read from the WSGI environment without ceremony."""

import sys
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from api.slow_clients import Flight, flight_of
from common.errors import BodyTimeout, InvalidJson, InvalidValue, RequestError, RequestTooLarge

# How much more than the longest body is read of one that is too long.
DRAIN_FACTOR = 4
MOST_PARAMETERS = 100


class Incoming:
    """One HTTP request. Nothing is read or parsed before it is asked for."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._environ = environ
        self._flight = flight_of(environ)

    @property
    def method(self) -> str:
        return str(self._environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        return str(self._environ["PATH_INFO"])

    def header(self, name: str) -> str | None:
        """The value of a header, stripped, by its name in any case; None when it is not there."""
        value = self._environ.get(_variable_of(name))
        return value.strip() if value is not None else None

    def query(self) -> dict[str, str]:
        """The query's parameters; of one that is given twice the last. Raises InvalidValue."""
        text = self._environ.get("QUERY_STRING")
        if not text:  # as with nearly every poll
            return {}
        try:
            parsed = parse_qs(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except ValueError:
            raise InvalidValue(f"The query has more than {MOST_PARAMETERS} parameters.") from None
        return {name: values[-1] for name, values in parsed.items()}

    def body(self, max_bytes: int) -> bytes:
        """The whole body. Raises RequestTooLarge, having read on for a while and kept nothing,
        BodyTimeout when the client was too slow, and InvalidJson when the body ended too early.

        It reads on because a client that is still writing would otherwise see its connection
        reset instead of the answer.
        """
        declared = self._declared_length()
        give_up_bytes = min(declared, DRAIN_FACTOR * max_bytes)
        stream = self._environ["wsgi.input"]
        kept: list[bytes] = []
        size = 0
        while size < give_up_bytes and (chunk := self._flight.read(stream, give_up_bytes - size)):
            size += len(chunk)
            if size <= max_bytes:
                kept.append(chunk)
            else:
                kept.clear()
        is_cut = size < declared if declared < sys.maxsize else self._flight.is_late
        if size > max_bytes or is_cut:
            raise _body_error(self._flight, size, max_bytes)
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def _declared_length(self) -> int:
        """The body's length; sys.maxsize when it ends where the client says so (chunked)."""
        text = self._environ.get("CONTENT_LENGTH") or ""
        if text.isdigit():
            return int(text)
        # Any other transfer coding was taken off by nobody.
        coding = self._environ.get("HTTP_TRANSFER_ENCODING", "chunked")
        if coding.strip().lower() != "chunked":
            raise InvalidValue(
                "The only transfer coding understood is 'chunked'.", param="transfer-encoding"
            )
        return sys.maxsize if self._environ.get("wsgi.input_terminated") else 0


@cache
def _variable_of(name: str) -> str:
    """What WSGI calls a header. The names are ours, so there are few."""
    return "HTTP_" + name.upper().replace("-", "_")


def _body_error(flight: Flight, size: int, max_bytes: int) -> RequestError:
    if flight.is_late:
        return BodyTimeout(f"The request body did not come in time: only {size} bytes did.")
    if size > max_bytes:
        return RequestTooLarge(f"The request body is longer than {max_bytes} bytes.")
    return InvalidJson(f"The request body ended after {size} bytes, earlier than announced.")
