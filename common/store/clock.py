"""What the front knows of the store's clock."""

import time


class StoreClock:
    """Estimates the server's time, to say until when a command may still be carried out.

    A server that was frozen and goes on executes the commands that waited in its sockets, long
    after their senders gave up. Until the first answer there is no estimate and so no limit.
    """

    def __init__(self) -> None:
        self._offset_ms: float | None = None

    def learn(self, server_now_ms: int) -> None:
        """Take the time that an answer carried."""
        self._offset_ms = server_now_ms - time.time() * 1000

    def in_ms(self, seconds: float) -> str:
        """The server's time ``seconds`` from now as an argument; empty when it is not known."""
        if self._offset_ms is None:
            return ""
        return str(int(time.time() * 1000 + self._offset_ms + seconds * 1000))
