"""A server on loopback for very many streams, with the caps that real ones have."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator

STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"
)
Writer = asyncio.StreamWriter
#: Given the number of the connection, from 0, and a writer; the connection ends when it returns.
Answer = Callable[[int, Writer], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    """The data as one chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def hold() -> None:
    """Until the client leaves, which cancels this."""
    await asyncio.Event().wait()


def reset(writer: Writer) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Crowd:
    """Where a running server listens, and how many have come."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None) -> None:
        self._answer = answer
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self.port = 0
        self.came = 0
        self.here = 0
        self.most = 0
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        assert self._up.wait(5.0)

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}/events"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5.0)
        self._loop.close()

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: Writer) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=self._context, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._stop.wait()
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        number, self.came = self.came, self.came + 1
        self.here += 1
        self.most = max(self.most, self.here)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                answer = asyncio.ensure_future(self._answer(number, writer))
                left = asyncio.ensure_future(reader.read())
                await asyncio.wait((answer, left), return_when=asyncio.FIRST_COMPLETED)
                for task in (answer, left):
                    task.cancel()
                await asyncio.gather(answer, left, return_exceptions=True)
        finally:
            self.here -= 1
            writer.close()


@contextlib.contextmanager
def crowd(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Crowd]:
    """A server that gives every connection the answer, until the block ends."""
    server = Crowd(answer, context)
    try:
        yield server
    finally:
        server.close()
