"""Counts what is answered without a job, for the usage of its key."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from api.reply import Reply
from common.usage_counter import UsageCounter


class FinishedStream(Protocol):
    """A stream that knows, once it is over, which response it has brought, if any."""

    @property
    def final_response(self) -> dict[str, Any] | None: ...


class CountedBody(Iterable[bytes]):
    """The bytes of a stream, which is counted when it is closed: once, however it ended."""

    def __init__(self, body: Any, usage: UsageCounter, owner: str, stream: FinishedStream) -> None:
        self._body = body
        self._usage: UsageCounter | None = usage
        self._owner = owner
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        usage, self._usage = self._usage, None
        try:
            self._body.close()
        finally:
            if usage is not None:
                response = self._stream.final_response
                usage.count(self._owner, response.get("usage") if response else None)


def counted(usage: UsageCounter, owner: str, stream: FinishedStream, reply: Reply) -> Reply:
    """The reply that this stream is, counted at its end."""
    return replace(reply, body=CountedBody(reply.body, usage, owner, stream))
