"""A server whose schedule is known: it says, or remembers, when it sent and when it cut.

``python -m bench.timed_source unix-socket``; it runs until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable

#: One part of a stream, and the seconds to wait after it.
Part = tuple[bytes, float]

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
_LAST = b"0\r\n\r\n"
_TIMED_EVERY = 0.04
_HUGE = b"data: " + b"x" * 150_000 + b"\n\n"

#: Each one a healthy stream; "post" ends, as the answer to a POST does.
SHAPES = ("slow", "bursty", "tiny", "huge", "comments", "fields", "post")
CUTS = ("truncated", "reset", "last_chunk")

_ENDLESS: dict[str, tuple[Part, ...]] = {
    "slow": ((b"data: now and then\n\n", 1.2),),
    "bursty": ((b"data: one of five\n\n" * 5, 0.9),),
    "tiny": ((b"data:1\n\n", 0.15),),
    "huge": ((_HUGE, 0.6),),
    "comments": ((b": ping\n\n", 0.7),),
    "fields": ((b"id: 7\r\nevent: note\r\nretry: 3000\r\ndata: a\r\ndata: b\r\n\r\n", 0.5),),
}


async def _parts(shape: str) -> AsyncIterator[Part]:
    if shape == "post":
        for number in range(30):
            yield b'data: {"token": %d}\n\n' % number, 0.05
        return
    while True:
        if shape == "timed":
            yield b"data: %.6f\n\n" % time.time(), _TIMED_EVERY
        else:
            for part in _ENDLESS[shape]:
                yield part


class Source:
    """Serves, and remembers the time of every cut by the number in its path."""

    def __init__(self) -> None:
        self._cuts: dict[str, float] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: /SHAPE, /cut/HOW/NUMBER/SECONDS or /cuts."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b" ", 2)[1].decode("ascii").strip("/").split("/")
            if words == ["cuts"]:
                body = json.dumps(self._cuts).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            elif words[0] == "cut":
                await self._cut(writer, words[1], words[2], float(words[3]))
            else:
                await self._stream(writer, words[0])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return  # the recorder has seen enough
        finally:
            writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, shape: str) -> None:
        writer.write(_HEAD)
        async for data, seconds in _parts(shape):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
            await asyncio.sleep(seconds)
        writer.write(_LAST)

    async def _cut(
        self, writer: asyncio.StreamWriter, how: str, number: str, seconds: float
    ) -> None:
        writer.write(_HEAD + b"b\r\ndata: one\n\n\r\n")
        await asyncio.sleep(seconds)
        act: dict[str, Callable[[], None]] = {
            "last_chunk": lambda: writer.write(_LAST),
            "truncated": writer.close,
            "reset": lambda: _reset(writer),
        }
        self._cuts[number] = time.time()
        act[how]()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _run(path: str) -> None:
    source = Source()
    servers = [
        await asyncio.start_unix_server(source.serve, path, backlog=1024),
        # A unix socket knows no reset.
        await asyncio.start_server(source.serve, "127.0.0.1", 0),
    ]
    print(servers[1].sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
