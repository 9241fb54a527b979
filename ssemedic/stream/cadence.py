"""How a stream is kept alive, and how near that is to the limits on its way. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ssemedic.stream.coding import parse_decoded
from ssemedic.stream.measured import KEEPALIVE_EVENTS
from ssemedic.stream.parser import Event
from ssemedic.stream.record import Stream

#: A rhythm is known from this many beats.
MIN_BEATS = 3

#: A named event with more data than this (characters) has something to say.
SMALL_DATA = 64

#: So much of a limit may pass before the next sign of life; the rest is for the network.
USABLE = 0.9

#: (seconds without a byte, whose limit)
Timeout = tuple[float, str]

_SERVERS = (
    ("nginx", 60.0, "nginx's proxy_read_timeout unless set otherwise"),
    ("openresty", 60.0, "nginx's proxy_read_timeout unless set otherwise"),
    ("awselb", 60.0, "the AWS load balancer's idle timeout"),
    ("cloudflare", 100.0, "Cloudflare"),
    ("envoy", 300.0, "Envoy's stream idle timeout"),
)
_VIAS = (("vegur", 55.0, "the Heroku router"), ("heroku", 55.0, "the Heroku router"))
_HEADERS = (
    ("cf-ray", 100.0, "Cloudflare"),
    ("x-amz-cf-id", 30.0, "CloudFront's origin response timeout"),
    ("x-azure-ref", 240.0, "Azure Front Door"),
    ("x-envoy-upstream-service-time", 300.0, "Envoy's stream idle timeout"),
)


@dataclass(frozen=True)
class Cadence:
    """What keeps a stream alive: ``by`` "comment" or the name of an event.

    ``seconds`` is the usual time from one to the next, ``count`` how many were seen.
    """

    by: str
    seconds: float
    count: int


@dataclass(frozen=True)
class Margin:
    """Seconds from the longest usual silence to the smallest limit on the way; may be negative."""

    silence: float
    limit: float
    whose: str

    @property
    def seconds(self) -> float:
        """What is left of the limit when the next sign of life comes."""
        return self.limit - self.silence

    @property
    def is_small(self) -> bool:
        """True where a little delay on the network is enough to be cut."""
        return self.silence > USABLE * self.limit


def cadence(stream: Stream) -> Cadence | None:
    """The rhythm of comments, else of an event that is named or made for it; None without one."""
    parsed = parse_decoded(stream) if stream.is_event_stream else None
    if parsed is None:
        return None
    found = _rhythm("comment", [comment.at for comment in parsed.comments])
    if found is not None:
        return found
    names = dict.fromkeys(event.type for event in parsed.events)
    for name in sorted(names, key=lambda name: name.lower() not in KEEPALIVE_EVENTS):
        events = [event for event in parsed.events if event.type == name]
        if _made_to_keep_alive(name, events):
            found = _rhythm(name, [event.at for event in events])
            if found is not None:
                return found
    return None


def margin(
    stream: Stream, timeouts: Sequence[Timeout] = (), promised: float | None = None
) -> Margin | None:
    """The margin to the smallest idle limit on the way.

    The limits are ``timeouts`` (seconds, whose), or else the defaults of the products that
    the headers name. A limit that the record outlived is none. The silence is the rhythm
    seen, or ``promised`` where the record is too short to see it; None where neither is known.
    """
    known = tuple(timeouts) or signs_of_timeouts(stream)
    outlived = _longest_silence(stream)
    left = [timeout for timeout in known if outlived <= timeout[0] + 0.5]
    seen = cadence(stream)
    silence = seen.seconds if seen is not None else promised
    if not left or silence is None:
        return None
    limit, whose = min(left)
    return Margin(silence, limit, whose)


def signs_of_timeouts(stream: Stream) -> tuple[Timeout, ...]:
    """The idle limits that products named in the headers have by default."""
    server = (stream.header("server") or "").lower()
    via = ", ".join(stream.header_values("via")).lower()
    found = [(limit, whose) for name, limit, whose in _SERVERS if name in server]
    found += [(limit, whose) for name, limit, whose in _VIAS if name in via]
    found += [(limit, whose) for name, limit, whose in _HEADERS if stream.header(name) is not None]
    return tuple(dict.fromkeys(found))


def _made_to_keep_alive(name: str, events: Sequence[Event]) -> bool:
    if name.lower() in KEEPALIVE_EVENTS:
        return True
    return name != "message" and len({e.data for e in events}) == 1 and _is_small(events[0])


def _is_small(event: Event) -> bool:
    return len(event.data) <= SMALL_DATA


def _rhythm(by: str, times: Sequence[float | None]) -> Cadence | None:
    """A steady beat; a few comments at uneven times keep nothing alive."""
    known = [at for at in times if at is not None]
    gaps = [later - earlier for earlier, later in pairwise(known)]
    if len(known) < MIN_BEATS:
        return None
    usual = statistics.median(gaps)
    if usual < 0.1 or max(abs(gap - usual) for gap in gaps) > 0.25 * usual + 0.2:
        return None
    return Cadence(by, usual, len(known))


def _longest_silence(stream: Stream) -> float:
    """The longest time without a byte that the stream outlived; our own end counts as such."""
    times = [stream.phases.headers or 0.0, *(read.at for read in stream.reads)]
    if stream.open_at_end:
        times.append(stream.end.at)
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)
