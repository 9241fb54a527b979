"""What the wire shows at a hop, in words.

A symptom is measured, never read from a configuration. Its origin is the innermost
hop that shows it; what the outer hops show in consequence is not a symptom of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ssemedic.finding import Severity


class Kind(StrEnum):
    """The kinds of symptoms. The comment says what a person with a browser sees."""

    UNREACHABLE = "unreachable"  # name or network: the browser never connects
    REFUSED = "refused"  # nobody listens
    TLS_ERROR = "tls_error"  # certificate or protocol
    NOT_HTTP = "not_http"  # something answers, but not HTTP
    NO_ANSWER = "no_answer"  # stays CONNECTING: connected, not even a status line
    HEADERS_LATE = "headers_late"  # stays CONNECTING for long, then opens
    WRONG_STATUS = "wrong_status"  # fails at once, readyState 2: 401, 404, 502, ...
    HTML_INSTEAD = "html_instead"  # MIME type text/html, readyState 2
    WRONG_TYPE = "wrong_type"  # some other MIME type, readyState 2
    CLOSED_AT_ONCE = "closed_at_once"  # readyState 1, then 0 within milliseconds
    ENDED = "ended"  # a clean end after some events
    CUT_WHEN_IDLE = "cut_when_idle"  # broken off a fixed time after the last byte
    CUT_AFTER = "cut_after"  # broken off a fixed time after the start
    RESET = "reset"  # connection reset
    BUFFERED = "buffered"  # silent, then a burst; or nothing while the inner hop sends
    SILENT = "silent"  # open, and not one byte in the whole window
    NOT_PARSABLE = "not_parsable"  # bytes flow but no event ever forms
    COMPRESSED = "compressed"  # a content coding holds the events
    MISSING_HEADER = "missing_header"  # a required header is absent or wrong
    DUPLICATE_CORS = "duplicate_cors"  # two Access-Control-Allow-Origin values
    MISSING_CORS = "missing_cors"  # a cross-origin page is refused
    CANARY_LOST = "canary_lost"  # a published event does not arrive
    REDIRECT_LOOP = "redirect_loop"  # fails after twenty redirects, readyState 2
    PREFLIGHT_REFUSED = "preflight_refused"  # fetch() fails before the stream is asked for
    ERROR_WITHOUT_CORS = "error_without_cors"  # a "CORS error" in the console hides the status
    KEEPALIVE_SLOW = "keepalive_slow"  # drops now and then, when the app has nothing to say
    NOT_CONFORMING = "not_conforming"  # some events are lost or garbled, others arrive
    WRONG_HOP_HEADER = "wrong_hop_header"  # X-Accel-Buffering where it does nothing
    LOST_ON_RESUME = "lost_on_resume"  # events are missing after a reconnect
    REPLAYED = "replayed"  # old events appear again after a reconnect
    FANOUT_PARTIAL = "fanout_partial"  # some tabs get a message, others never do
    FEW_STREAMS = "few_streams"  # the first tabs work, the next one fails
    NO_ROOM = "no_room"  # some cannot connect at all, the streams of others go on
    SIX_CONNECTIONS = "six_connections"  # the seventh tab hangs: no HTTP/2
    BROWSER_REFUSED = "browser_refused"  # "Failed to fetch": the browser gives no reason


#: What a symptom costs the people at the browser; all that are not named break the stream.
_COSTS: Mapping[Kind, Severity] = {
    # The stream comes through as it should.
    Kind.MISSING_HEADER: Severity.HYGIENE,
    Kind.WRONG_HOP_HEADER: Severity.HYGIENE,
    # It works for most people, most of the time.
    Kind.COMPRESSED: Severity.DEGRADED,
    Kind.CUT_AFTER: Severity.DEGRADED,
    Kind.CUT_WHEN_IDLE: Severity.DEGRADED,
    Kind.ENDED: Severity.DEGRADED,
    Kind.ERROR_WITHOUT_CORS: Severity.DEGRADED,
    Kind.HEADERS_LATE: Severity.DEGRADED,
    Kind.KEEPALIVE_SLOW: Severity.DEGRADED,
    Kind.NOT_CONFORMING: Severity.DEGRADED,
    Kind.NO_ROOM: Severity.DEGRADED,
    Kind.SIX_CONNECTIONS: Severity.DEGRADED,
}


def cost(kind: str) -> Severity:
    """What a kind of symptom costs; a kind that is not known counts as broken."""
    return _COSTS.get(Kind(kind), Severity.BROKEN) if kind in set(Kind) else Severity.BROKEN


@dataclass(frozen=True)
class Symptom:
    """One symptom at one hop.

    ``text`` is a sentence with the measurement in it; ``measured`` holds the same
    numbers for a program (seconds, bytes, status). ``source`` is "stream" for what
    we recorded, or the log source in which the host recorded it for its users.
    """

    kind: Kind
    hop: str
    text: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    source: str = "stream"

    @property
    def id(self) -> str:
        """Stable within one report: kind and hop."""
        return f"{self.kind}@{self.hop}"


@dataclass(frozen=True)
class Expected:
    """What a healthy stream would show: what symptoms are judged against.

    ``origin`` is the page's origin ("https://app.example.org"), None where no other
    origin reads the stream. ``keepalive_seconds`` is how often the service promises a
    byte, None where it promises nothing. ``window`` is how long was recorded, in seconds.
    ``credentials`` is true where that page sends cookies (``withCredentials``). ``types``
    are the other media types that a POST says it takes in place of a stream, in lower case:
    as in MCP's streamable HTTP, it may also be answered 202 with nothing.
    """

    origin: str | None = None
    keepalive_seconds: float | None = None
    window: float = 8.0
    credentials: bool = False
    types: tuple[str, ...] = ()
