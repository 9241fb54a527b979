"""From records to symptoms: each record alone, then the hops side by side. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ssemedic.stream.hops import HOPS, buffered, in_order
from ssemedic.stream.origin import is_consequence, origins
from ssemedic.stream.record import Stream
from ssemedic.stream.single import observe_one
from ssemedic.symptoms import Expected, Kind, Symptom

__all__ = ["HOPS", "Expected", "is_consequence", "observe", "observe_one", "origins"]

#: How a hop that buffers looks when it is seen alone.
_BUFFERING_ALONE = (Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.SILENT)

#: Headers that any hop may add on the way out.
_ADDED_OUTSIDE = (Kind.MISSING_HEADER, Kind.MISSING_CORS)

#: What may be so for us alone: the hop outside brings along a header, or asks another address.
_TO_US_ALONE = (
    *(Kind.WRONG_STATUS, Kind.HTML_INSTEAD, Kind.WRONG_TYPE),
    *(Kind.REFUSED, Kind.UNREACHABLE),
)
#: These come and go, whoever asks.
_PASSING = (408, 429)


def observe(
    streams: Sequence[Stream], expected: Expected | None = None, order: Sequence[str] = HOPS
) -> tuple[Symptom, ...]:
    """Every symptom of every hop, inner to outer. Counter-tests (variants) are left out.

    ``order`` names the hops that count, inner to outer.
    """
    expected = expected or Expected()
    hops = in_order(streams, order)
    held = {symptom.hop: symptom for symptom in buffered(hops, order)}
    found: list[Symptom] = []
    for stream in hops:
        alone = observe_one(stream, expected)
        if stream.hop in held:
            found.append(held[stream.hop])
            alone = tuple(s for s in alone if s.kind not in _BUFFERING_ALONE)
        found.extend(alone)
    return tuple(s for s in found if not _made_good_outside(s, found, hops, order))


def _made_good_outside(
    symptom: Symptom, symptoms: Sequence[Symptom], hops: Sequence[Stream], order: Sequence[str]
) -> bool:
    """True for what an inner hop shows to us alone: a hop outside it gets the stream from it.

    A header missing at an inner hop may be added outside; a refusal may be for want of what
    the hop outside brings along; and of several backends nginx goes on to one that listens.
    """
    outer = order[order.index(symptom.hop) + 1 :]
    if symptom.kind in _ADDED_OUTSIDE:
        missing = {s.hop for s in symptoms if s.kind == symptom.kind}
        return any(s.hop in outer and s.hop not in missing and s.is_event_stream for s in hops)
    return _is_refusal_to_us(symptom) and any(_streams(s) for s in hops if s.hop in outer)


def _is_refusal_to_us(symptom: Symptom) -> bool:
    """True for an answer that another client of the hop need not get."""
    if symptom.kind is not Kind.WRONG_STATUS:
        return symptom.kind in _TO_US_ALONE
    status = symptom.measured.get("status", 500)
    return 300 <= status < 500 and status not in _PASSING


def _streams(stream: Stream) -> bool:
    """True where the way of the clients delivers; a dev proxy is another way."""
    delivers = stream.is_event_stream and stream.open_at_end and bool(stream.reads)
    return delivers and stream.hop != "devproxy"
