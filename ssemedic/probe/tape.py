"""The record under construction: what both recorders write on, byte by byte.

Runs on the inspected host too (Python 3.8, standard library only).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Protocol

from ..stream.record import End, Phases, Read, Stream
from .request import Request, mask

#: Arrivals closer together than this many seconds count as one: it bounds the record
#: to a few thousand reads, and the kernel splits one write of a server as it likes.
MERGE_SECONDS = 0.002

_EVENT_STREAM = b"text/event-stream"


class Watch(Protocol):
    """Told what happens while it happens.

    ``what`` is the phase that is over, or "read"; ``at`` the second since the start;
    ``data`` the body bytes as they came, with "headers" the lines of the head, else b"".
    Secrets are not masked in it.
    """

    def __call__(self, what: str, at: float, data: bytes) -> None: ...


class Stop(Exception):  # noqa: N818 - not an error: every record ends with one
    """The record ends here; ``kind`` is one of `record.END_KINDS`."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail


class Clock:
    """Seconds since the start of the attempt, and what is left of its window."""

    def __init__(self, window: float) -> None:
        self.started = time.time()
        self.window = window
        self._zero = time.monotonic()

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._zero

    def left(self) -> float:
        """Seconds until the window closes; negative once it has."""
        return self.window - self.now()


class StallWatch:
    """Measures how long this process got no processor while a record was made.

    A thread that sleeps for a moment and wakes late has been held up, and so was the
    reading of the stream beside it.
    """

    _TICK = 0.05

    def __init__(self) -> None:
        self._longest = 0.0
        self._over = threading.Event()
        self._slept_at = time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def finish(self) -> float:
        """Stop, and give the longest stall in seconds; 0.0 for anything under a tick."""
        overslept = time.monotonic() - self._slept_at - self._TICK
        self._over.set()
        longest = max(self._longest, overslept)
        return longest if longest > self._TICK else 0.0

    def _watch(self) -> None:
        while not self._over.wait(self._TICK):  # `Tape.stream` always ends it
            now = time.monotonic()
            self._longest = max(self._longest, now - self._slept_at - self._TICK)
            self._slept_at = now


class Tape:
    """Collects one attempt and gives the `Stream`; no secret of the request gets past it."""

    def __init__(self, request: Request, vantage: str, watch: Watch | None = None) -> None:
        self._told = watch
        self.clock = Clock(request.window)
        self._watch = StallWatch()
        self.address = request.address
        self._request = request
        self._vantage = vantage
        self._secrets = request.secrets()
        # A secret cut in two by the end of the kept body would not be recognised.
        self._keep = request.limits.body_limit + max(map(len, self._secrets), default=0)
        self._phases: dict[str, float] = {}
        self._version: str | None = None
        self._status: int | None = None
        self._reason = b""
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._reads: list[Read] = []
        self._size = 0
        self._body = bytearray()
        self._of_lines = False  # an event stream in the clear
        self._line_start = 0

    def mark(self, phase: str, at: float | None = None) -> None:
        """Note that a phase of `Phases` is over, now or at the given second."""
        self._phases[phase] = self.clock.now() if at is None else at
        if self._told is not None:
            self._told(phase, self._phases[phase], b"")

    def answer(
        self,
        version: str,
        status: int,
        reason: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        at: float,
    ) -> None:
        """Note the final response head, complete at the given second."""
        self._version, self._status, self._reason = version, status, reason
        self._headers = tuple(headers)
        named = {key.lower(): value.strip().lower() for key, value in self._headers}
        is_clear = named.get(b"content-encoding", b"identity") == b"identity"
        self._of_lines = is_clear and named.get(b"content-type", b"").startswith(_EVENT_STREAM)
        self._phases["headers"] = at
        if self._told is not None:
            first = b"HTTP/%s %d %s" % (version.encode("latin-1", "replace"), status, reason)
            self._told("headers", at, b"\r\n".join([first, *map(b": ".join, self._headers)]))

    def take(self, data: bytes, at: float) -> None:
        """Note body bytes; raises `Stop` once the byte limit is reached.

        An event stream that has been in one line for half of the limit has no end of it.
        """
        limit = self._request.limits.max_bytes
        data = data[: limit - self._size]
        if data:
            ended = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
            if ended:
                self._line_start = self._size + ended
            if self._told is not None:
                self._told("read", at, data)
            self._size += len(data)
            self._body += data[: max(0, self._keep - len(self._body))]
            last = self._reads[-1] if self._reads else None
            if last is not None and at - last.at < MERGE_SECONDS:
                self._reads[-1] = Read(last.at, last.size + len(data))
            else:
                self._reads.append(Read(at, len(data)))
        if self._size >= limit:
            line = self._size - self._line_start
            if self._of_lines and 2 * line >= limit:
                raise Stop("limit_event", f"a line of more than {line} bytes")
            raise Stop("limit_bytes", f"{limit} bytes read")

    def stream(self, kind: str, detail: str = "") -> Stream:
        """The finished record, ended now."""
        request = self._request
        return Stream(
            hop=request.hop,
            vantage=self._vantage,
            variant=request.variant,
            address=self.address,
            url=request.public_url,
            method=request.method,
            request_version=request.version,
            response_version=self._version,
            started=self.clock.started,
            window=request.window,
            phases=Phases(**self._phases),
            status=self._status,
            reason=self._text(self._reason),
            headers=tuple((self._text(k), self._text(v)) for k, v in self._headers),
            reads=tuple(self._reads),
            body=mask(bytes(self._body), self._secrets)[: request.limits.body_limit],
            stalled=self._watch.finish(),
            end=End(kind, self.clock.now(), self._text(detail.encode("latin-1", "replace"))),
        )

    def _text(self, data: bytes) -> str:
        return mask(data, self._secrets).decode("latin-1")
