"""Cause: app_compression_middleware."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.BUFFERED, Kind.COMPRESSED),
    needs=("streams",),
)
def app_compression_middleware(case: Case) -> Iterator[Finding]:
    """The app compresses the stream and keeps the events in its compressor.

    A compressing middleware fills its buffer before it lets go of anything, unless it is
    flushed after each event. Browsers ask with `Accept-Encoding: gzip`, and nginx passes that
    on; curl does not ask, so with curl the same stream is perfect, at every hop.

    Leave the stream out of the compression, or flush after each event. `Cache-Control:
    no-transform` makes the middleware of Node keep its hands off.
    """
    symptom = case.symptom("app", Kind.BUFFERED, Kind.COMPRESSED)
    zipped = case.topology.stream("app", "gzip")
    if symptom is None:
        return
    by_counter_test = symptom.measured.get("variant") == "gzip"
    framework, unit = framework_of(case), case.topology.unit
    coding = zipped.header("content-encoding") if zipped is not None else None
    evidence = [symptom.text]
    if by_counter_test:
        evidence.append("counter-test: asked with Accept-Encoding: identity the events pass")
    if coding:
        evidence.append(f"asked with gzip it answers Content-Encoding: {coding}")
    yield Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=f"{framework.label} compresses text/event-stream and does not flush",
        expected="the stream goes out as it is, or flushed after each event",
        evidence=tuple(evidence),
        certainty=3,
        advice=(Advice(Audience.SERVER, f"Leave the stream alone: {framework.speech.plain}."),),
    )
