"""Cause: app_content_type."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.stream.parser import parse
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.WRONG_TYPE,),
    needs=("streams",),
)
def app_content_type(case: Case) -> Iterator[Finding]:
    """The app sends the stream under another media type than text/event-stream.

    EventSource takes `200` with `Content-Type: text/event-stream` and nothing else: with
    `text/plain`, `application/json` or no type at all it fails for good (readyState 2), though
    the events in the body may be perfect and curl shows them. nginx's `default_type` does not
    touch an answer that comes from an upstream.

    Set the type before the first byte leaves.
    """
    symptom = case.symptom("app", Kind.WRONG_TYPE)
    stream = case.topology.stream("app")
    if symptom is None or stream is None:
        return
    framework, unit = framework_of(case), case.topology.unit
    events = len(parse(stream).events)
    found = stream.content_type or "no Content-Type"
    flows = events > 0 or stream.open_at_end
    shown = f"{events} events came under it" if events else "the answer stays open as a stream does"
    yield Finding(
        hop="app",
        where=unit.name if unit else stream.address,
        observed=f"{framework.label} answers with {found}",
        expected="Content-Type: text/event-stream",
        evidence=(symptom.text, *([shown] if flows else [])),
        certainty=3 if flows else 2,
        out_of_reach=""
        if flows
        else f"whether {stream.address} is the stream at all: no event came, and it ended",
        advice=(Advice(Audience.SERVER, f"Set the type: {framework.speech.content_type}."),),
    )
