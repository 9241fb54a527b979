"""Cause: app_spring_async_timeout."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_CUT = (Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE, Kind.RESET, Kind.ENDED)
_LOGGED = "AsyncRequestTimeoutException"


@rule(layer=Layer.APP, severity=Severity.DEGRADED, explains=_CUT, needs=("units", "logs"))
def app_spring_async_timeout(case: Case) -> Iterator[Finding]:
    """Spring ends each stream at its timeout for asynchronous requests.

    An `SseEmitter` or a `Flux` lives as long as `spring.mvc.async.request-timeout` says, or as
    long as the container does: 30 s with Tomcat, 10 s with others, busy or not. Then Spring
    throws AsyncRequestTimeoutException, and may write a JSON error or a 503 into the stream.

    Give the emitter no limit: `new SseEmitter(0L)`.
    """
    lines = [line.text for line in case.unit_log() if _LOGGED in line.text]
    if not lines:
        return
    cut = case.symptom("app", *_CUT)
    evidence = [f"journal of {case.unit.name}, {len(lines)} times: {lines[-1]}"]
    yield Finding(
        hop="app",
        where=case.unit.name,
        observed=f"{framework_of(case).label} times streams out: {_LOGGED}",
        expected="a stream lives as long as its client wants it",
        evidence=(cut.text, *evidence) if cut else tuple(evidence),
        certainty=3,
        depends="" if cut else "clients stay longer than we watched",
        advice=(
            Advice(
                Audience.SERVER,
                "new SseEmitter(0L), or spring.mvc.async.request-timeout=-1 in "
                "application.properties; for a Flux the same property. Send a comment every 15 "
                "to 30 s, and complete the emitter in onTimeout and onError.",
            ),
        ),
    )
