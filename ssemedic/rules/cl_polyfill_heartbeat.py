"""Cause: cl_polyfill_heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind

#: heartbeatTimeout of event-source-polyfill, by default, in seconds.
_PATIENCE = 45.0


@rule(
    layer=Layer.CLIENT,
    severity=Severity.HYGIENE,
    explains=(Kind.KEEPALIVE_SLOW,),
    needs=("streams",),
)
def cl_polyfill_heartbeat(case: Case) -> Iterator[Finding]:
    """A page that uses the EventSource polyfill gives up a stream that is silent for 45 s.

    The polyfill that many pages use to send headers ends a stream on which nothing came for
    45 s ("No activity within 45000 milliseconds") and opens another one. The browser's own
    EventSource waits for ever, so the stream is fine for everyone else, and on the server it
    looks like clients that leave and come back.

    Send a comment every 15 s, or give the polyfill another `heartbeatTimeout`.
    """
    silence = _silence(case)
    if silence is None:
        return
    said, hop = silence
    yield Finding(
        hop=hop,
        where=case.topology.unit.name if case.topology.unit else case.endpoint.url,
        observed=said,
        expected="a comment at least every 15 to 30 s",
        evidence=(said, "event-source-polyfill gives up after 45 s without a byte"),
        depends="a page reads the stream with event-source-polyfill",
        advice=(
            Advice(Audience.SERVER, "Send a comment (`: ping`) every 15 s on every open stream."),
            Advice(
                Audience.FRONTEND,
                "Or let the polyfill wait: new EventSourcePolyfill(url, {heartbeatTimeout: "
                "120000}); the browser's own EventSource needs nothing.",
            ),
        ),
    )


def _silence(case: Case) -> tuple[str, str] | None:
    """The silence that is longer than the polyfill's patience, and where; measured before told."""
    for stream in reversed(case.topology.streams):
        if not stream.is_event_stream or not stream.open_at_end:
            continue
        if (gap := _longest(stream)) > _PATIENCE + stream.stalled:
            return f"{gap:.0f} s without a byte on an open stream", stream.hop
        return _promised(case)
    return None


def _promised(case: Case) -> tuple[str, str] | None:
    promised = case.endpoint.keepalive_seconds
    if promised is None or promised <= _PATIENCE:
        return None
    return f"a sign of life every {promised:g} s, as the inventory says", "app"


def _longest(stream: Stream) -> float:
    times = [stream.phases.headers or 0.0, *(read.at for read in stream.reads), stream.end.at]
    return max(later - earlier for earlier, later in pairwise(times))
