"""Where a symptom begins: what an outer hop shows because of an inner one is left out."""

from __future__ import annotations

from collections.abc import Sequence

from ssemedic.stream.hops import HOPS
from ssemedic.symptoms import Kind, Symptom

_NO_CONNECTION = (Kind.REFUSED, Kind.UNREACHABLE, Kind.TLS_ERROR)
_GATEWAY = (500, 502, 503, 504)
_BROKEN = (Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER, Kind.RESET)

#: inner kind -> what a proxy outside it then shows, beside the same kind.
_CONSEQUENCES: dict[Kind, tuple[Kind, ...]] = {
    Kind.REFUSED: (Kind.HTML_INSTEAD, Kind.NO_ANSWER),
    Kind.UNREACHABLE: (Kind.HTML_INSTEAD, Kind.NO_ANSWER, Kind.HEADERS_LATE),
    Kind.TLS_ERROR: (Kind.HTML_INSTEAD, Kind.NO_ANSWER),
    Kind.NOT_HTTP: (Kind.HTML_INSTEAD, Kind.NO_ANSWER, *_BROKEN, Kind.CLOSED_AT_ONCE, Kind.ENDED),
    Kind.NO_ANSWER: (Kind.HTML_INSTEAD, Kind.HEADERS_LATE),
    Kind.HEADERS_LATE: (Kind.NO_ANSWER,),
    Kind.CLOSED_AT_ONCE: (Kind.ENDED, Kind.RESET),
    Kind.ENDED: (Kind.CLOSED_AT_ONCE,),
    Kind.CUT_WHEN_IDLE: (*_BROKEN, Kind.ENDED, Kind.CLOSED_AT_ONCE),
    Kind.CUT_AFTER: (*_BROKEN, Kind.ENDED, Kind.CLOSED_AT_ONCE),
    Kind.RESET: (*_BROKEN, Kind.ENDED, Kind.CLOSED_AT_ONCE, Kind.HTML_INSTEAD, Kind.NO_ANSWER),
    Kind.BUFFERED: (Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.SILENT),
    Kind.SILENT: (Kind.NO_ANSWER, Kind.HEADERS_LATE),
    Kind.COMPRESSED: (Kind.NOT_PARSABLE,),
}

#: Any of these inside is all that a browser needs to refuse the answer without a word.
_MAKES_A_BROWSER_REFUSE = frozenset(
    {*_NO_CONNECTION, Kind.NOT_HTTP, Kind.NO_ANSWER, Kind.RESET, Kind.WRONG_STATUS}
    | {Kind.MISSING_CORS, Kind.DUPLICATE_CORS, Kind.ERROR_WITHOUT_CORS, Kind.PREFLIGHT_REFUSED}
    | {Kind.REDIRECT_LOOP, Kind.HTML_INSTEAD, Kind.WRONG_TYPE}
)

#: inner kind -> the statuses with which a proxy outside it gives up.
_GIVES_UP: dict[Kind, tuple[int, ...]] = {
    **dict.fromkeys((*_NO_CONNECTION, Kind.NOT_HTTP, Kind.NO_ANSWER, Kind.RESET), _GATEWAY),
    **dict.fromkeys((Kind.HEADERS_LATE, Kind.BUFFERED, Kind.SILENT), (504,)),
    **dict.fromkeys((Kind.CLOSED_AT_ONCE, Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER), (502, 504)),
}


def origins(symptoms: Sequence[Symptom], hops: Sequence[str] = HOPS) -> tuple[Symptom, ...]:
    """The symptoms that are not the consequence of one at an inner hop, in the order given."""
    return tuple(
        outer
        for outer in symptoms
        if not any(is_consequence(outer, inner, symptoms, hops) for inner in symptoms)
    )


def is_consequence(
    outer: Symptom, inner: Symptom, symptoms: Sequence[Symptom] = (), hops: Sequence[str] = HOPS
) -> bool:
    """True if a hop shows ``outer`` because a hop inside it shows ``inner``."""
    if outer.hop not in hops or inner.hop not in hops:
        return False
    if hops.index(inner.hop) >= hops.index(outer.hop):
        return False
    if outer.kind in _NO_CONNECTION:
        return outer.kind == inner.kind and _same_listener(outer, inner, symptoms, hops)
    if outer.kind == Kind.BROWSER_REFUSED and inner.kind in _MAKES_A_BROWSER_REFUSE:
        return True
    if outer.kind == Kind.WRONG_STATUS:
        return _passes_status(outer, inner)
    if outer.kind in _BROKEN and _breaks_sooner(outer, inner):
        return False
    if outer.kind == inner.kind:
        return outer.measured.get("header") == inner.measured.get("header")
    return outer.kind in _CONSEQUENCES.get(inner.kind, ())


def _same_listener(
    outer: Symptom, inner: Symptom, symptoms: Sequence[Symptom], hops: Sequence[str]
) -> bool:
    """The public address and the hop just inside it are one listener.

    A proxy whose upstream refuses does not refuse itself, so between any other hops
    a failed connection is always the outer hop's own.
    """
    if outer.hop != "public":
        return False
    between = hops[hops.index(inner.hop) + 1 : hops.index(outer.hop)]
    return not any(symptom.hop in between for symptom in symptoms)


def _passes_status(outer: Symptom, inner: Symptom) -> bool:
    status = outer.measured.get("status")
    if inner.kind == Kind.WRONG_STATUS:
        within = inner.measured.get("status")
        return status == within or (status in _GATEWAY and within in _GATEWAY)
    return status in _GIVES_UP.get(inner.kind, ())


def _breaks_sooner(outer: Symptom, inner: Symptom) -> bool:
    """True if the outer hop broke off at least a second before the inner one did."""
    pairs = (
        (outer.measured.get(name), inner.measured.get(name))
        for name in ("idle_seconds", "total_seconds")
    )
    return any(
        isinstance(out, (int, float)) and isinstance(within, (int, float)) and out < within - 1.0
        for out, within in pairs
    )
