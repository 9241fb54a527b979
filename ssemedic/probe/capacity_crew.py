"""What all streams of one run share: the pace, the counts, and the rule when to stop."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from ssemedic.probe.capacity_result import Trouble
from ssemedic.probe.capacity_stream import READ_BYTES, HeldStream, Speech
from ssemedic.probe.capacity_tally import Latencies, Spread

#: Seconds for a connection, and then for the head of its answer.
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
#: At the end of the run, what has waited this long counts as not answered.
LATE_SECONDS = 1.0
_SHORTEST = 0.1  # seconds that a connection is given in any case
#: Connections being made at once, and streams that wait for their answer at once.
CONNECTING = 64
UNANSWERED = 512
#: The rule: half of the last 50 outcomes (of 20 at least) within 10 s were failures.
OUTCOMES, LEAST_OUTCOMES, OUTCOME_SECONDS = 50, 20, 10.0

_LOCAL = {
    errno.EMFILE: "own_fds",
    errno.ENFILE: "own_fds",
    errno.EADDRNOTAVAIL: "own_ports",
    errno.ENOMEM: "own_memory",
    errno.ENOBUFS: "own_memory",
}
_REMOTE = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ENOENT: "connection_refused",
    errno.ECONNRESET: "reset",
    errno.EAGAIN: "backlog_full",  # unix sockets say so
    errno.ETIMEDOUT: "connect_timeout",
}


@dataclass(frozen=True)
class Address:
    """Where to connect: the family and the address as the socket module takes them."""

    family: int
    where: Any
    text: str


class Crew:
    """Opens streams, keeps the counts, and knows when it must stop."""

    def __init__(
        self, speech: Speech, address: Address, streams: int, zero: float, seconds: float
    ) -> None:
        """For so many streams and seconds, from that second of the monotonic clock."""
        self.speech = speech
        self.address = address
        self.buffer = bytearray(READ_BYTES)
        self.unanswered: dict[int, HeldStream] = {}  # in the order in which they asked
        self.held: dict[int, HeldStream] = {}
        self.attempts = 0
        self.opened_count = 0
        self.coded_count = 0
        self.failed_count = 0
        self.most_held = 0
        self.last_opened_at = 0.0
        self.bytes = 0
        self.events = 0
        self.refused: dict[str, Trouble] = {}
        self.lost: dict[str, Trouble] = {}
        self.head = Spread()
        self.first_event = Spread()
        self.latencies = Latencies(streams)
        self.drowning = ""  # why the rule says to stop
        self.closing = False  # what ends from now on was ended by us
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=OUTCOMES)
        self._zero = zero
        self._seconds = seconds
        self._room = asyncio.Event()
        self._room.set()

    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._zero

    # What a stream tells.

    def opened(self, stream: HeldStream, coded: bool) -> None:
        """Its head says 200 and text/event-stream; ``coded``: with a content coding."""
        self.coded_count += coded
        self._answered(stream)
        self.held[stream.number] = stream
        self.opened_count += 1
        self.most_held = max(self.most_held, len(self.held))
        self.last_opened_at = stream.opened_at
        self.head.add(stream.opened_at - stream.sent_at)
        self._outcome(True)

    def failed(self, stream: HeldStream, kind: str, detail: str) -> None:
        """It did not open."""
        self._answered(stream)
        if not self.closing:
            self._fail(kind, detail)

    def dropped(self, stream: HeldStream, kind: str, detail: str) -> None:
        """It was open, and the server or the network ended it."""
        held = len(self.held)
        self.held.pop(stream.number, None)
        now = self.now()
        age = now - stream.opened_at
        self.lost[kind] = _more(self.lost.get(kind), kind, now, held, detail, age)
        if kind != "ended":  # a clean end harms nobody
            self._outcome(False)

    def event(self, stream: HeldStream, checksum: int, piece: bytes) -> None:
        """It has had an event."""
        now = self.now()
        self.events += 1
        if stream.silent:
            stream.silent = False
            self.first_event.add(now - stream.sent_at)
        self.latencies.event(stream.number, stream.opened_at, checksum, piece, now)

    # What the run asks for.

    async def open(self, number: int) -> None:
        """One attempt, up to the request; what comes of it is counted."""
        self.attempts += 1
        allowed = max(_SHORTEST, min(CONNECT_SECONDS, self._seconds - self.now()))
        loop = asyncio.get_running_loop()
        sock: socket.socket | None = None
        try:
            sock = socket.socket(self.address.family, socket.SOCK_STREAM)
            sock.setblocking(False)
            if self.address.family == socket.AF_UNIX:
                sock.connect(self.address.where)  # done, or EAGAIN, which asyncio takes for success
            else:
                async with asyncio.timeout(allowed):
                    await loop.sock_connect(sock, self.address.where)
            await loop.create_connection(lambda: HeldStream(number, self), sock=sock)
        except TimeoutError:
            assert sock is not None
            sock.close()
            self._fail("connect_timeout", f"no answer within {allowed:.1f} s")
        except OSError as error:
            if sock is not None:
                sock.close()
            code = error.errno or 0
            kind = _LOCAL.get(code) or _REMOTE.get(code) or "unreachable"
            self._fail(kind, error.strerror or str(error))
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            raise

    async def wait_for_room(self) -> None:
        """Return once few enough streams wait for their answer."""
        while len(self.unanswered) >= UNANSWERED:
            self._room.clear()
            await self._room.wait()

    def sweep(self, allowed: float = ANSWER_SECONDS) -> None:
        """Give up the streams that have waited for their answer longer than the seconds allowed."""
        due = self.now() - allowed
        overdue = [stream for stream in self.unanswered.values() if stream.sent_at <= due]
        for stream in overdue:
            stream.give_up("no_answer", f"no headers within {allowed:g} s")

    @property
    def settled(self) -> bool:
        """True if every attempt so far has opened or failed."""
        return self.opened_count + self.failed_count >= self.attempts

    def close(self) -> None:
        """End every stream from our side."""
        self.closing = True
        for streams in (self.unanswered, self.held):
            for stream in list(streams.values()):
                stream.close()
        self.unanswered.clear()

    def _answered(self, stream: HeldStream) -> None:
        self.unanswered.pop(stream.number, None)
        if len(self.unanswered) < UNANSWERED:
            self._room.set()

    def _fail(self, kind: str, detail: str) -> None:
        self.failed_count += 1
        held = len(self.held)
        now = self.now()
        self.refused[kind] = _more(self.refused.get(kind), kind, now, held, detail, 0.0)
        self._outcome(False)

    def _outcome(self, good: bool) -> None:
        now = self.now()
        self._outcomes.append((now, good))
        if good or self.drowning:
            return
        late = [fine for at, fine in self._outcomes if now - at <= OUTCOME_SECONDS]
        bad = late.count(False)
        if len(late) >= LEAST_OUTCOMES and 2 * bad >= len(late):
            self.drowning = (
                f"{bad} of the last {len(late)} attempts and streams failed within"
                f" {OUTCOME_SECONDS:g} s: going on could harm the server's users"
            )


def _more(
    seen: Trouble | None, kind: str, now: float, held: int, detail: str, age: float
) -> Trouble:
    if seen is None:
        return Trouble(kind, 1, now, now, held, detail, age, age)
    return Trouble(
        kind,
        seen.count + 1,
        seen.first_at,
        now,
        seen.held,
        seen.detail,
        min(age, seen.youngest),
        max(age, seen.oldest),
    )
