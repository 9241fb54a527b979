"""What only a counter-test shows: over HTTP/2, compressed, or with a second stream beside. Pure.

A browser speaks HTTP/2 where it is offered, takes gzip and opens a stream for each tab; the
plain record does none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ssemedic.stream.coding import as_decoded
from ssemedic.stream.hops import HOPS, buffered
from ssemedic.stream.record import Stream
from ssemedic.stream.single import observe_one
from ssemedic.symptoms import Expected, Kind, Symptom

#: The variant that asks over HTTP/2, and how those that ask beside the plain record begin.
HTTP2 = "h2"
PARALLEL = "parallel-"
#: The variant that asks with the origin that nginx allows by name.
ORIGIN = "origin"

#: A stream over HTTP/2 that ends so much sooner than the plain one ends for its own reason.
SOONER_SECONDS = 1.0
#: The variant that takes gzip, and the one that asks a second time.
GZIP = "gzip"
AGAIN = "again"
_AT_ONCE = 1.0  # seconds in which what was kept is over


def varied(streams: Sequence[Stream], expected: Expected) -> tuple[Symptom, ...]:
    """The symptoms that counter-tests show and the plain record of the same hop does not."""
    found: list[Symptom] = []
    for plain in (stream for stream in streams if not stream.variant):
        known = {symptom.kind for symptom in observe_one(plain, expected)}
        found += [s for s in _over_http2(streams, plain, expected) if s.kind not in known]
        found += _beside_another(streams, plain)
        found += _to_a_page_elsewhere(streams, plain)
        found += _compressed(streams, plain)
        found += _kept(streams, plain)
    return tuple(found)


def _over_http2(
    streams: Sequence[Stream], plain: Stream, expected: Expected
) -> tuple[Symptom, ...]:
    two = _variant(streams, plain.hop, HTTP2)
    if two is None or not plain.is_event_stream or plain.response_version == "2":
        return ()
    if two.response_version not in (None, "2"):
        return ()  # it was not offered, so no browser speaks it either
    if not plain.open_at_end and plain.end.at - two.end.at < SOONER_SECONDS:
        return ()  # both ended alike
    return tuple(
        Symptom(
            symptom.kind,
            symptom.hop,
            symptom.text.replace(f"{two.hop}: ", f"{two.hop}, over HTTP/2 only: ", 1),
            {**symptom.measured, "version": "2"},
        )
        for symptom in observe_one(two, expected)
    )


def _beside_another(streams: Sequence[Stream], plain: Stream) -> tuple[Symptom, ...]:
    """Some of the streams that were asked for at the same time opened, others were refused."""
    beside = [s for s in streams if s.hop == plain.hop and s.variant.startswith(PARALLEL)]
    together = [plain, *beside]
    opened = [stream for stream in together if stream.is_event_stream]
    refused = [stream for stream in together if not stream.is_event_stream]
    if not beside or not opened or not refused:
        return ()
    statuses = sorted({str(s.status or s.end.kind) for s in refused})
    text = (
        f"{plain.hop}: {len(opened)} of {len(together)} streams at once opened, "
        f"the others got {', '.join(statuses)}"
    )
    measured = {
        "opened": len(opened),
        "streams": len(together),
        "statuses": sorted({s.status for s in refused if s.status}),
    }
    return (Symptom(Kind.FEW_STREAMS, plain.hop, text, measured),)


def _compressed(streams: Sequence[Stream], plain: Stream) -> tuple[Symptom, ...]:
    """Held back only for a client that takes gzip."""
    zipped = _variant(streams, plain.hop, GZIP)
    if zipped is None or plain.hop not in HOPS or not plain.is_event_stream:
        return ()
    within = HOPS[: HOPS.index(plain.hop)]
    inner = [s for s in streams if not s.variant and s.hop in within]
    if any(s.hop == plain.hop for s in buffered([*inner, plain])):
        return ()
    if plain.hop == HOPS[0]:
        return _held_from_its_own(plain, zipped)
    return tuple(
        _for_gzip_only(symptom, plain.hop)
        for symptom in buffered([*inner, as_decoded(replace(zipped, variant=""))])
        if symptom.hop == plain.hop
    )


def _held_from_its_own(plain: Stream, zipped: Stream) -> tuple[Symptom, ...]:
    """The innermost hop beside itself: what it sends to one client in time, and to another not."""
    outside = HOPS[HOPS.index(plain.hop) + 1]
    beside = as_decoded(replace(zipped, hop=outside, variant=""))
    return tuple(
        _for_gzip_only(
            replace(
                symptom,
                hop=plain.hop,
                text=f"{plain.hop}: {symptom.text.partition(': ')[2]}",
                measured={**symptom.measured, "inner": plain.hop},
            ),
            plain.hop,
        )
        for symptom in buffered([plain, beside])
    )


def _for_gzip_only(symptom: Symptom, hop: str) -> Symptom:
    text = symptom.text.replace(f"{hop}: ", f"{hop}, for who takes gzip only: ", 1)
    return replace(symptom, text=text, measured={**symptom.measured, "variant": GZIP})


def _kept(streams: Sequence[Stream], plain: Stream) -> tuple[Symptom, ...]:
    """The same bytes twice, at once and to the end, where the hop inside takes its time."""
    again = _variant(streams, plain.hop, AGAIN)
    within = HOPS[: HOPS.index(plain.hop)] if plain.hop in HOPS else ()
    inner = [s for s in streams if not s.variant and s.hop in within and s.is_event_stream]
    if again is None or not inner or not plain.body or again.body != plain.body:
        return ()
    slowest = min(_lasted(stream) for stream in inner)
    most = _AT_ONCE + max(plain.stalled, again.stalled)
    if max(_lasted(plain), _lasted(again)) > most or slowest <= 2 * most:
        return ()
    text = (
        f"{plain.hop}: sends the same {plain.size} bytes twice, at once and to the end, where "
        f"{inner[-1].hop} goes on for {slowest:.1f} s"
    )
    return (Symptom(Kind.REPLAYED, plain.hop, text, {"bytes": plain.size}),)


def _lasted(stream: Stream) -> float:
    """Seconds from the headers to the end; as long as we looked where it had none."""
    if stream.open_at_end:
        return stream.window
    return stream.end.at - (stream.phases.headers or 0.0)


def _to_a_page_elsewhere(streams: Sequence[Stream], plain: Stream) -> tuple[Symptom, ...]:
    """What a page of the origin sees that the hop allows by name; nobody else had named one."""
    asked = _variant(streams, plain.hop, ORIGIN)
    allowed = asked.header("access-control-allow-origin") if asked is not None else None
    if asked is None or not allowed:
        return ()
    origin = allowed.split(",")[0].strip()
    return tuple(
        Symptom(
            symptom.kind,
            symptom.hop,
            symptom.text.replace(f"{plain.hop}: ", f"{plain.hop}, to a page of {origin}: ", 1),
            {**symptom.measured, "variant": ORIGIN},
        )
        for symptom in observe_one(asked, Expected(origin=origin))
        if symptom.kind is Kind.DUPLICATE_CORS
    )


def _variant(streams: Sequence[Stream], hop: str, variant: str) -> Stream | None:
    return next((s for s in streams if (s.hop, s.variant) == (hop, variant)), None)
