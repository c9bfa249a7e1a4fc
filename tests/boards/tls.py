"""A server that ends TLS before another server, as one stands before boards; by asyncio.

with TlsFront(board.host, board.port, certificate) as front:
    ...  # what is behind board.port, on front.port
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading

_BUFFER = 65536
"""Bytes; the system would take megabytes for who does not read."""


class TlsFront:
    """Pumps bytes both ways, in a thread with a loop of its own."""

    def __init__(self, host, port, context):
        self._behind, self._context = (host, port), context
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="tls-front")
        self._thread.start()
        self._ready.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._stop = asyncio.Event()
        self._pumps = set()
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        server = await asyncio.start_server(self._connected, sock=listener, ssl=self._context)
        self.port = listener.getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader, writer):
        self._pumps.add(asyncio.current_task())
        # asyncio does it by itself only for sockets that it has made
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            behind = await asyncio.open_connection(*self._behind)
        except OSError:
            writer.transport.abort()
            return
        behind[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        both = [self._pump(reader, behind[1]), self._pump(behind[0], writer)]
        pumps = [asyncio.create_task(each) for each in both]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            for each in (writer, behind[1]):
                each.close()
            self._pumps.discard(asyncio.current_task())

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()


def server_context(certificate):
    """What a server shows: a PEM file with its key and its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
