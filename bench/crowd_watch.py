"""Hold streams as browsers do, come back when one drops, and tell what it cost.

    python -m bench.crowd_watch HOST PORT STREAMS     a token on standard input

Prints ``ready`` when all are open, and the figures as JSON when standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import time
from dataclasses import dataclass, field

_HEAD_BYTES = 64 * 1024
_AT_ONCE = 50  # connections being opened


@dataclass
class Watcher:
    """One browser tab: what it saw of the messages, and how often it was cut off."""

    position: str = ""
    retry: float = 3.0  # seconds, until the server names another (HTML, 9.2.3)
    seen: dict[int, int] = field(default_factory=dict)
    last: float = 0.0
    gap: float = 0.0
    drops: int = 0
    replays: list[str] = field(default_factory=list)

    def message(self, number: int) -> None:
        """Count a message, and how long nothing had come."""
        now = time.monotonic()
        if self.last:
            self.gap = max(self.gap, now - self.last)
        self.last = now
        self.seen[number] = self.seen.get(number, 0) + 1


@dataclass
class Crowd:
    """All of them, and the messages they should get."""

    host: str
    port: int
    token: str
    watchers: list[Watcher]
    opened: int = 0
    sent: list[int] = field(default_factory=list)
    refused: int = 0
    over: bool = False
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))


async def main(host: str, port: int, count: int) -> None:
    """Open, watch until standard input ends, tell."""
    token = sys.stdin.readline().strip()
    crowd = Crowd(host, port, token, [Watcher() for _ in range(count)])
    tasks = [asyncio.create_task(_stay(crowd, one)) for one in crowd.watchers]
    while crowd.opened < count:
        await asyncio.sleep(0.05)
    tasks.append(asyncio.create_task(_publish(crowd)))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    crowd.over = True
    await asyncio.sleep(1.0)  # what was sent last is on its way
    print(json.dumps(_figures(crowd)), flush=True)
    for task in tasks:
        task.cancel()


def _figures(crowd: Crowd) -> dict[str, float]:
    dropped = [one for one in crowd.watchers if one.drops]
    replays = [replay for one in dropped for replay in one.replays]
    # The newest may still be on its way when the watching ends.
    due = crowd.sent[:-2]
    lost = [n for one in crowd.watchers for n in due if n not in one.seen]
    return {
        "streams": len(crowd.watchers),
        "dropped": len(dropped),
        "resumed": sum(1 for replay in replays if replay != "unknown"),
        "not_resumed": sum(1 for replay in replays if replay == "unknown"),
        "longest_gap": round(max(one.gap for one in crowd.watchers), 2),
        "median_gap": round(statistics.median(one.gap for one in crowd.watchers), 2),
        "sent": len(due),
        "refused": crowd.refused,
        "lost": len(lost),
        "twice": sum(1 for one in crowd.watchers for times in one.seen.values() if times > 1),
    }


async def _stay(crowd: Crowd, watcher: Watcher) -> None:
    while True:
        # As for a browser, every end is one to come back from.
        with contextlib.suppress(OSError, EOFError, ValueError):
            await _watch(crowd, watcher)
        if crowd.over:
            return
        watcher.drops += watcher.last > 0
        await asyncio.sleep(watcher.retry)


async def _watch(crowd: Crowd, watcher: Watcher) -> None:
    async with crowd.gate:
        reader, writer = await asyncio.open_connection(crowd.host, crowd.port)
        head = f"Last-Event-ID: {watcher.position}\r\n" if watcher.position else ""
        writer.write(
            f"GET /events?access_token={crowd.token} HTTP/1.1\r\nHost: {crowd.host}\r\n"
            f"Accept: text/event-stream\r\n{head}\r\n".encode()
        )
        answer = await reader.readuntil(b"\r\n\r\n")
    try:
        if not answer.startswith(b"HTTP/1.1 200"):
            raise ValueError(answer[:20])
        crowd.opened += not watcher.last
        text = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            text += await reader.readexactly(size)
            await reader.readexactly(2)
            *blocks, text = text.split(b"\n\n")
            for block in blocks:
                _event(watcher, block.decode())
    finally:
        writer.close()


def _event(watcher: Watcher, block: str) -> None:
    fields = dict(line.partition(": ")[::2] for line in block.splitlines() if ": " in line)
    if "id" in fields:
        watcher.position = fields["id"]
    if "retry" in fields:
        watcher.retry = int(fields["retry"]) / 1000
    if fields.get("event") == "connected" and watcher.drops:
        watcher.replays.append(str(json.loads(fields["data"])["replay"]))
    if fields.get("event") == "message":
        watcher.message(int(json.loads(fields["data"])["text"]))


async def _publish(crowd: Crowd) -> None:
    """A message every second; one that is refused was never sent."""
    number = 0
    while not crowd.over:
        number += 1
        if await _post(crowd, number):
            crowd.sent.append(number)
        else:
            crowd.refused += 1
        await asyncio.sleep(1.0)


async def _post(crowd: Crowd, number: int) -> bool:
    body = json.dumps({"text": str(number)}).encode()
    try:
        reader, writer = await asyncio.open_connection(crowd.host, crowd.port)
        writer.write(
            f"POST /api/chats/1/messages HTTP/1.1\r\nHost: {crowd.host}\r\nConnection: close\r\n"
            f"Authorization: Bearer {crowd.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        answer = await asyncio.wait_for(reader.read(_HEAD_BYTES), 5)
        writer.close()
    except (TimeoutError, OSError):
        return False
    return answer.startswith(b"HTTP/1.1 2")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
