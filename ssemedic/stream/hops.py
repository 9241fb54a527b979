"""What two records show side by side: an outer hop that holds back what an inner one sent."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise

from ssemedic.stream.record import Stream
from ssemedic.stream.single import sent_at
from ssemedic.symptoms import Kind, Symptom

#: Inner to outer.
HOPS = ("app", "inner", "nginx", "public", "browser", "devproxy")

#: A loaded machine can stall for this many seconds; less than that is no difference.
STALL_SECONDS = 3.0

#: Bursts are judged from at least this many arrivals at the inner hop.
MIN_ARRIVALS = 12

#: So many times rarer must the arrivals at the outer hop be, and at least so far apart.
BURST_RATIO = 2.5
BURST_GAP_SECONDS = 0.3


def in_order(streams: Sequence[Stream], hops: Sequence[str] = HOPS) -> list[Stream]:
    """The records of hops, inner to outer; counter-tests (variants) are left out."""
    plain = [stream for stream in streams if not stream.variant and stream.hop in hops]
    return sorted(plain, key=lambda stream: hops.index(stream.hop))


def buffered(streams: Sequence[Stream], hops: Sequence[str] = HOPS) -> tuple[Symptom, ...]:
    """A symptom for each hop that holds back what the nearest delivering hop inside sent.

    Every time is taken from the moment the hop had its own request. Outside a hop that
    shows nothing for another reason nothing can be said.
    """
    found: list[Symptom] = []
    inner: Stream | None = None
    for stream in in_order(streams, hops):
        if inner is not None:
            symptom = _held_back(inner, stream)
            if symptom is not None:
                found.append(symptom)
                continue  # the hops outside are compared with the one that delivers
        inner = stream if stream.is_event_stream and stream.reads else None
    return tuple(found)


def _held_back(inner: Stream, outer: Stream) -> Symptom | None:
    if not outer.is_event_stream and not _still_waiting(outer):
        return None
    tolerance = STALL_SECONDS + max(inner.stalled, outer.stalled)
    first = inner.reads[0].at - sent_at(inner)
    if not outer.reads:
        waited = outer.end.at - sent_at(outer)
        if not outer.open_at_end or waited - first < tolerance:
            return None
        sent = sum(r.size for r in inner.reads if r.at - sent_at(inner) <= waited - tolerance)
        shown = "headers but no byte" if outer.status else "nothing, not even headers,"
        text = (
            f"{outer.hop}: {shown} in {waited:.1f} s, while {inner.hop} sent its first byte"
            f" after {first:.1f} s"
        )
        return _symptom(inner, outer, text, waited_seconds=round(waited, 2), inner_bytes=sent)
    lag = outer.reads[0].at - sent_at(outer) - first
    if lag > tolerance:
        text = f"{outer.hop}: first byte {lag:.1f} s later than at {inner.hop}"
        return _symptom(inner, outer, text, lag_seconds=round(lag, 2))
    gap = _longest_gap(outer) - _longest_gap(inner)
    if gap > tolerance and 2 * len(outer.reads) <= len(inner.reads) and _together(inner, outer):
        text = (
            f"{outer.hop}: {len(outer.reads)} arrivals with gaps of up to"
            f" {_longest_gap(outer):.1f} s, where {inner.hop} has {len(inner.reads)}"
        )
        return _symptom(inner, outer, text, gap_seconds=round(_longest_gap(outer), 2))
    return _bursts(inner, outer)


def _bursts(inner: Stream, outer: Stream) -> Symptom | None:
    if len(inner.reads) < MIN_ARRIVALS or len(outer.reads) < 3 or not _together(inner, outer):
        return None
    # Medians, because one stall delays many reads but is only one gap.
    usual, seen = _median_gap(inner), _median_gap(outer)
    if seen < max(BURST_GAP_SECONDS, BURST_RATIO * usual):
        return None
    if BURST_RATIO * len(outer.reads) > len(inner.reads):
        return None
    text = f"{outer.hop}: bursts every {seen:.1f} s, where {inner.hop} sends every {usual:.1f} s"
    return _symptom(inner, outer, text, gap_seconds=round(seen, 2), inner_gap=round(usual, 2))


def _symptom(inner: Stream, outer: Stream, text: str, **numbers: float) -> Symptom:
    first = round(inner.reads[0].at - sent_at(inner), 2)
    return Symptom(
        Kind.BUFFERED, outer.hop, text, {"inner": inner.hop, "inner_first_byte": first, **numbers}
    )


def _still_waiting(stream: Stream) -> bool:
    """True if the hop took the request and had not answered when the window closed."""
    return stream.status is None and stream.end.kind == "limit_time"


def _together(one: Stream, other: Stream) -> bool:
    """True if both were recorded for the most part at the same time, so saw the same events."""
    start = max(one.started, other.started)
    end = min(one.started + one.end.at, other.started + other.end.at)
    return 2 * (end - start) > min(one.end.at, other.end.at)


def _longest_gap(stream: Stream) -> float:
    times = [sent_at(stream), *(read.at for read in stream.reads)]
    return max(later - earlier for earlier, later in pairwise(times))


def _median_gap(stream: Stream) -> float:
    return statistics.median(later.at - earlier.at for earlier, later in pairwise(stream.reads))
