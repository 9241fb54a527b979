"""Hold streams as a client library does; it needs nothing of ours, and runs in its own venv.

``python hold_with_library.py aiohttp|httpx URL STREAMS SECONDS`` prints one line of JSON.
Events are counted by their blank lines and nothing is kept: the least a client can do.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

_CONNECTING = 64
_RAMP_SECONDS = 120.0


class Counts:
    """What one run has seen."""

    def __init__(self) -> None:
        self.opened = 0
        self.events = 0
        self.last_opened = 0.0
        self.gate = asyncio.Semaphore(_CONNECTING)

    def open(self) -> None:
        """A stream answered 200."""
        self.opened += 1
        self.last_opened = time.monotonic()


Stream = Callable[[], Awaitable[None]]


async def hold(stream: Stream, counts: Counts, streams: int, seconds: float) -> dict[str, float]:
    """Open them as fast as the library can, then hold them for the seconds."""
    before = _resident()
    began = time.monotonic()
    tasks = [asyncio.ensure_future(stream()) for _ in range(streams)]
    while counts.opened < streams and time.monotonic() - began < _RAMP_SECONDS:
        await asyncio.sleep(0.05)
    since, cpu, events = time.monotonic(), time.process_time(), counts.events
    await asyncio.sleep(seconds)
    took = time.monotonic() - since
    result = {
        "opened": counts.opened,
        "ramp": counts.last_opened - began,
        "bytes_per_stream": (_resident() - before) / max(1, counts.opened),
        "cpu_share": (time.process_time() - cpu) / took,
        "events_per_second": (counts.events - events) / took,
    }
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return result


async def with_aiohttp(url: str, streams: int, seconds: float) -> dict[str, float]:
    """One session without a limit of its own."""
    import aiohttp  # type: ignore[import-not-found, unused-ignore]

    counts = Counts()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def stream() -> None:
            async with counts.gate:
                answer = await session.get(url)
            counts.open()
            async for data in answer.content.iter_any():
                counts.events += data.count(b"\n\n")

        return await hold(stream, counts, streams, seconds)


async def with_httpx(url: str, streams: int, seconds: float) -> dict[str, float]:
    """One client without a limit of its own."""
    import httpx

    counts = Counts()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=None, trust_env=False) as client:

        async def stream() -> None:
            async with counts.gate:
                answer = await client.send(client.build_request("GET", url), stream=True)
            counts.open()
            async for data in answer.aiter_raw():
                counts.events += data.count(b"\n\n")

        return await hold(stream, counts, streams, seconds)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    _soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
    _client = {"aiohttp": with_aiohttp, "httpx": with_httpx}[sys.argv[1]]
    _found = asyncio.run(_client(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
    print(json.dumps(_found))
