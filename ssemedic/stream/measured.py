"""The numbers of one record that people ask about. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ssemedic.stream.coding import parse_decoded
from ssemedic.stream.parser import Parsed
from ssemedic.stream.record import Stream

#: Names of events that services send only to keep a stream alive.
KEEPALIVE_EVENTS = frozenset({"ping", "keepalive", "keep-alive", "keep_alive", "heartbeat"})
#: Names of events with which services say that a stream is complete, and the data that does.
_GOODBYES = frozenset(
    {"done", "end", "close", "complete", "completed", "finish", "finished", "eof"}
    | {"message_stop", "response.completed"}
)
_GOODBYE_DATA = "[DONE]"


@dataclass(frozen=True)
class Measured:
    """Times in seconds since the start of the attempt; None where there was nothing to measure.

    ``gap`` is the longest time without a byte, from the headers to the end of the record.
    ``keepalive`` is the longest time from one keep-alive (a comment, or an event named for
    it) to the next. ``duration`` is how long the record is.
    """

    connect: float | None
    tls: float | None
    headers: float | None
    first_byte: float | None
    first_event: float | None
    gap: float | None
    keepalive: float | None
    events: int | None
    comments: int | None
    bytes: int
    status: int | None
    duration: float


def said_goodbye(parsed: Parsed | None) -> bool:
    """True if the last event says that the stream is complete, as answers of language models do.

    A client closes on it; what ends after it is no fault.
    """
    if parsed is None or not parsed.events:
        return False
    last = parsed.events[-1]
    return last.type.lower() in _GOODBYES or last.data.strip() == _GOODBYE_DATA


def measured(stream: Stream) -> Measured:
    """The numbers of one record."""
    parsed = parse_decoded(stream) if stream.is_event_stream else None
    phases = stream.phases
    return Measured(
        connect=phases.connected,
        tls=phases.tls,
        headers=phases.headers,
        first_byte=stream.reads[0].at if stream.reads else None,
        first_event=parsed.events[0].at if parsed and parsed.events else None,
        gap=_gap(stream),
        keepalive=_longest(_keepalives(parsed)) if parsed else None,
        events=len(parsed.events) if parsed else None,
        comments=len(parsed.comments) if parsed else None,
        bytes=stream.size,
        status=stream.status,
        duration=stream.end.at,
    )


def longest_gap(stream: Stream) -> tuple[float, float] | None:
    """From when to when no byte came, where that took longest; None without headers."""
    if stream.phases.headers is None:
        return None
    times = [stream.phases.headers, *(read.at for read in stream.reads), stream.end.at]
    return max(pairwise(times), key=lambda pair: pair[1] - pair[0])


def _gap(stream: Stream) -> float | None:
    found = longest_gap(stream)
    return None if found is None else max(0.0, found[1] - found[0])


def _keepalives(parsed: Parsed) -> list[float]:
    comments = [comment.at for comment in parsed.comments]
    named = [event.at for event in parsed.events if event.type.lower() in KEEPALIVE_EVENTS]
    return sorted(at for at in (*comments, *named) if at is not None)


def _longest(times: Sequence[float]) -> float | None:
    return max((later - earlier for earlier, later in pairwise(times)), default=None)
