"""One of very many streams: an asyncio protocol that keeps no data and shares its buffer."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ssemedic.probe import http1
from ssemedic.probe.capacity_events import EventCounter, Uncounted
from ssemedic.probe.capacity_tls import Tls
from ssemedic.probe.request import Limits
from ssemedic.probe.tape import Stop

if TYPE_CHECKING:
    from ssemedic.probe.capacity_crew import Crew

#: Read at once; one buffer serves all streams, because a read is used up before the next.
READ_BYTES = 64 << 10
LIMITS = Limits(header_bytes=16 << 10, line_bytes=4 << 10)
#: Start of the body of an answer that is no stream, for the words in it (bytes).
EXCERPT = 512


@dataclass(frozen=True)
class Speech:
    """What every stream says, and how."""

    request: bytes
    method: str
    context: ssl.SSLContext | None
    server_name: str


class HeldStream(asyncio.BufferedProtocol):
    """Sends the request, reads the head, then counts events until somebody closes.

    It tells the crew once whether it opened (`Crew.opened` or `Crew.failed`), and once
    that it ended (`Crew.dropped`) if it had opened and was not closed by us.
    """

    __slots__ = (
        "_body",
        "_crew",
        "_events",
        "_excerpt",
        "_head",
        "_said",
        "_tls",
        "_transport",
        "number",
        "opened_at",
        "sent_at",
        "settled",
        "silent",
    )

    def __init__(self, number: int, crew: Crew) -> None:
        self.number = number
        self.settled = False  # it has opened, or it has failed
        self.silent = True  # no event has come yet
        self.sent_at = 0.0
        self.opened_at = 0.0
        self._crew = crew
        self._transport: asyncio.Transport | None = None
        self._tls: Tls | None = None
        self._head: http1.HeadReader | None = None
        self._body: http1.BodyReader | None = None
        self._events: EventCounter | None = None
        self._excerpt: bytearray | None = None
        self._said = ""  # what kind of failure the excerpt belongs to

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._head = http1.HeadReader(LIMITS)
        self.sent_at = self._crew.now()
        self._crew.unanswered[self.number] = self
        speech = self._crew.speech
        if speech.context is None:
            self._transport.write(speech.request)
        else:
            self._tls = Tls(speech.context, speech.server_name)
            self._through_tls(b"")  # the first step of a handshake cannot fail

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        return self._crew.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(memoryview(self._crew.buffer)[:nbytes])
        self._crew.bytes += nbytes
        try:
            self._received(data if self._tls is None else self._through_tls(data))
        except Stop as stop:
            self._over("not_http", stop.detail or stop.kind)
        except ssl.SSLError as error:
            self._over("tls_error", str(error.reason or error))

    def eof_received(self) -> bool:
        return False  # close our side too

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return  # we closed it
        if isinstance(exc, ssl.SSLError):
            self._over("tls_error", str(exc.reason or exc))
        elif isinstance(exc, OSError):
            self._over("reset" if isinstance(exc, ConnectionError) else "broken", _words(exc))
        elif self._excerpt is not None:
            self._refused()
        else:
            self._ended()

    def close(self) -> None:
        """End it from our side; the crew hears nothing more of it."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def give_up(self, kind: str, detail: str) -> None:
        """End it as failed for a reason that the crew knows."""
        if self._excerpt is not None:
            self._refused()
        else:
            self._over(kind, detail)

    def _through_tls(self, data: bytes) -> bytes:
        tls, transport = self._tls, self._transport
        if tls is None or transport is None:
            return b""
        was_ready = tls.ready
        try:
            plain = tls.take(data)
            if tls.ready and not was_ready:
                tls.seal(self._crew.speech.request)
                self.sent_at = self._crew.now()
        finally:
            transport.write(tls.outgoing())  # an alert says why, too
        return plain

    def _received(self, data: bytes) -> None:
        while data and self._head is not None:
            complete = self._head.feed(data)
            if complete is None:
                return
            answer, data = complete
            self._head = http1.HeadReader(LIMITS)
            if not http1.is_interim(answer):
                self._head = None
                self._answered(answer)
        if self._body is None:
            return
        plain = self._body.feed(data)
        over = self._body.done or (self._tls is not None and self._tls.closed)
        if self._excerpt is not None:
            self._excerpt += plain[: EXCERPT - len(self._excerpt)]
            if over or len(self._excerpt) >= EXCERPT:
                self._refused()
            return
        if plain and self._events is not None:
            self._events.feed(plain, self._event)
        if over:
            self._ended()

    def _answered(self, answer: http1.Answer) -> None:
        kind = _not_a_stream(answer)
        self._body = http1.BodyReader(*http1.framing(answer, self._crew.speech.method), LIMITS)
        if kind:
            self._said = kind
            server = b", ".join(answer.values(b"server"))[:80]
            self._excerpt = bytearray(b"Server: " + server + b"; " if server else b"")
            return
        coded = any(name != b"identity" for name in answer.values(b"content-encoding"))
        self._events = Uncounted() if coded else EventCounter()
        self.settled = True
        self.opened_at = self._crew.now()
        self._crew.opened(self, coded)

    def _refused(self) -> None:
        excerpt, self._excerpt = self._excerpt or bytearray(), None
        self._over(self._said, " ".join(excerpt.decode("latin-1").split()))

    def _event(self, checksum: int, piece: bytes) -> None:
        self._crew.event(self, checksum, piece)

    def _ended(self) -> None:
        body = self._body
        if body is None:
            started = self._head is not None and self._head.started
            self._over(
                "empty_reply", "closed after part of the headers" if started else "closed at once"
            )
        elif body.done or body.kind == "close":
            self._over("ended", "")
        else:
            self._over("truncated", "closed in the middle of the answer")

    def _over(self, kind: str, detail: str) -> None:
        """The end, told once."""
        was_open = self.settled and self._events is not None
        self._head = None
        self._events = None
        self.close()
        if was_open:
            self._crew.dropped(self, kind, detail)
        elif not self.settled:
            self.settled = True
            self._crew.failed(self, kind, detail)


def _not_a_stream(answer: http1.Answer) -> str:
    """The kind of failure for an answer that is no event stream, or ""."""
    if answer.status != 200:
        return f"status_{answer.status}"
    types = answer.values(b"content-type")
    kind = types[0].split(b";")[0].strip() if types else b""
    return "" if kind == b"text/event-stream" else "not_event_stream"


def _words(error: OSError) -> str:
    return error.strerror or str(error)
