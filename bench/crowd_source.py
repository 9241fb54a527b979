"""A server for thousands of streams: each gets an event every five seconds, evenly spread.

``python -m bench.crowd_source unix-socket``; it runs until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from itertools import cycle
from typing import cast

#: Every stream is in one of so many groups, and every tick serves the next.
GROUPS, TICK_SECONDS = 50, 0.1
SECONDS_BETWEEN_EVENTS = GROUPS * TICK_SECONDS

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)

Groups = list[set[asyncio.Transport]]


class _Client(asyncio.Protocol):
    __slots__ = ("_group", "_transport")

    def __init__(self, group: set[asyncio.Transport]) -> None:
        self._group = group

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):  # nginx sends the whole head at once
            self._transport.write(_HEAD)
            self._group.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._group.discard(self._transport)


def event() -> bytes:
    """One chunk with an event that says when it was sent."""
    body = (
        b"data: %s\n\n" % json.dumps({"sent_at": round(time.time(), 6), "text": "x" * 60}).encode()
    )
    return b"%x\r\n%s\r\n" % (len(body), body)


async def _serve(path: str) -> None:
    groups: Groups = [set() for _ in range(GROUPS)]
    turns = cycle(groups)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: _Client(next(turns)), path, backlog=4096)
    closed = loop.run_in_executor(None, sys.stdin.read)
    print("ready", flush=True)
    due = loop.time()
    for group in cycle(groups):
        if closed.done():
            break
        data = event()
        for transport in group:
            transport.write(data)
        due += TICK_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))
    server.close()


if __name__ == "__main__":
    _soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    asyncio.run(_serve(sys.argv[1]))
