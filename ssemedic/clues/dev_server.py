"""What a dev proxy says of itself, and what it does to a stream that comes to it in time."""

from __future__ import annotations

from ssemedic.case import Case
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

HOP = "devproxy"

#: How a stream looks that the dev proxy keeps to itself.
HELD = (Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.SILENT)
#: How one looks that it breaks off.
CUT = (Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER, Kind.ENDED, Kind.RESET)


def is_next(case: Case) -> bool:
    """True if the dev proxy says that it is Next.js, and nobody inside it does."""
    return _powered_by(case, HOP).startswith("next.js") and not any(
        _powered_by(case, stream.hop) for stream in case.topology.streams if stream.hop != HOP
    )


def coding_of_its_own(case: Case) -> tuple[Stream, str] | None:
    """The record in which the dev proxy compresses what comes to it plain, and how."""
    inner = [s for s in case.topology.streams if s.hop != HOP]
    if any(stream.header("content-encoding") for stream in inner):
        return None
    for variant in ("", "gzip"):
        stream = case.topology.stream(HOP, variant)
        coding = stream.header("content-encoding") if stream is not None else None
        if stream is not None and coding and coding.lower() != "identity":
            return stream, coding
    return None


def only_for_gzip(symptom: Symptom) -> bool:
    """True if the counter-test shows it: a client that takes gzip waits, another one does not."""
    return symptom.measured.get("variant") == "gzip"


def after_seconds(symptom: Symptom) -> float | None:
    """How long the stream, or the silence in it, had lasted when it was cut."""
    for name in ("idle_seconds", "total_seconds"):
        value = symptom.measured.get(name)
        if isinstance(value, (int, float)):
            return float(value)
    return None


def _powered_by(case: Case, hop: str) -> str:
    for stream in (case.topology.stream(hop), case.topology.stream(hop, "gzip")):
        if stream is not None and (value := stream.header("x-powered-by")):
            return value.lower()
    return ""
