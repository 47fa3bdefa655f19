"""The network between one worker and the store, which can be cut or become a black hole."""

import asyncio
import contextlib
import ssl
import threading

HOST = "127.0.0.1"


class StoreProxy:
    """Forwards TCP from a port of its own; the loop runs in a thread of its own.

    With a ``context`` it speaks TLS to those who connect.
    """

    def __init__(self, target_port: int, context: ssl.SSLContext | None = None) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(
            asyncio.start_server(self._serve, HOST, 0, backlog=512, ssl=context)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset all connections, and every new one."""
        self._loop.call_soon_threadsafe(self._cut)

    def freeze(self) -> None:
        """Forward nothing and close nothing: what is sent arrives after ``restore``."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def restore(self) -> None:
        self._loop.call_soon_threadsafe(self._restore)

    def stop(self) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, coroutine):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def _restore(self) -> None:
        self._is_cut = False
        self._flowing.set()

    async def _stop(self) -> None:
        self._server.close()
        self._cut()
        self._flowing.set()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pumps.add(task)
        self._open.add(writer)
        try:
            if not self._is_cut:
                await self._connect(reader, writer)
        except OSError:
            pass  # the store is away: so is this connection
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._pumps.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        there, back = await asyncio.open_connection(HOST, self._target_port)
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            back.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        # Either side's end is the end of both; what was written before it still arrives.
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()
