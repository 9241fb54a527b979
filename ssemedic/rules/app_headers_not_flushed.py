"""Cause: app_headers_not_flushed."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.stream.record import Stream
from ssemedic.stream.single import HEADERS_LATE_SECONDS, sent_at
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.NO_ANSWER, Kind.HEADERS_LATE, Sign(Kind.WRONG_STATUS, (504,))),
    needs=("streams",),
)
def app_headers_not_flushed(case: Case) -> Iterator[Finding]:
    """The app sends its headers only with the first event.

    On a busy system nobody notices. On a quiet one EventSource stays CONNECTING,
    and the proxy gives up with 504 after its read timeout, because not even the
    status line has left the app.

    Send a comment such as `: connected` at once: it flushes the headers and
    opens the stream.
    """
    symptom = case.symptom("app", Kind.NO_ANSWER, Kind.HEADERS_LATE)
    stream = case.topology.stream("app")
    if symptom is None or stream is None:
        return
    if _not_accepting(case):
        return
    logged = [
        line.text
        for log in case.evidence.logs or ()
        for line in log.lines
        if "while reading response header from upstream" in line.text and "timed out" in line.text
    ]
    alive = case.topology.stream("app", "alive")
    answers = alive is not None and alive.status is not None
    if alive is not None and (not answers or _late(alive)):
        return  # the app answers nothing in time, so it is not about this stream's headers
    evidence = [symptom.text]
    if answers and alive is not None:
        evidence.append(
            f"the app answers another path with {alive.status} after {alive.phases.headers:.2f} s"
        )
    if logged:
        evidence.append(f"nginx logged {len(logged)} times: {logged[-1]}")
    unit = case.topology.unit
    yield Finding(
        hop="app",
        where=unit.name if unit else stream.address,
        observed=symptom.text,
        expected="a status line and a first comment at once",
        evidence=tuple(evidence),
        certainty=2 if answers else 1,
        out_of_reach=""
        if answers or logged
        else "whether the app answers any other path was not seen",
        advice=(
            Advice(
                Audience.SERVER,
                "Write ': connected\\n\\n' (and flush) as the first bytes of every stream, before "
                "waiting for the first event. A longer proxy timeout only hides it.",
            ),
        ),
    )


def _late(stream: Stream) -> bool:
    headers = stream.phases.headers or 0.0
    return headers - sent_at(stream) > HEADERS_LATE_SECONDS + stream.stalled


def _not_accepting(case: Case) -> bool:
    """True when connections wait in the backlog: the app never saw our request."""
    listener, process = case.topology.listener, case.topology.process
    if listener is not None and listener.queue:
        return True
    if process is None or process.fds_used is None or process.fds_soft is None:
        return False
    return process.fds_used >= process.fds_soft - 2
