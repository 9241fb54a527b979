"""Cause: app_raise_after_200."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.evicted import evicted
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

#: What frameworks log when a handler dies after the response began.
_RAISED = re.compile(
    r"Exception in ASGI application|Traceback \(most recent call last\)|unhandled exception"
    r"|UnhandledPromiseRejection|panicked at|AsyncRequestTimeoutException"
    r"|goroutine \d+ \[running\]",
    re.IGNORECASE,
)
_EXCEPTION = re.compile(r"^\s*[|+\s]*([A-Za-z_][\w.]*(?:Error|Exception|Exit|Denied|Failed)\b.*)")
_AROUND = 5.0  # seconds between our request and the lines it left


@rule(
    layer=Layer.APP,
    severity=Severity.BROKEN,
    explains=(Kind.CLOSED_AT_ONCE,),
    needs=("streams",),
)
def app_raise_after_200(case: Case) -> Iterator[Finding]:
    """The app answers 200 and then fails before the first event.

    The status line and `text/event-stream` are out before the handler authorises,
    subscribes or reads its first row. When that step fails, the framework can only
    close the connection: EventSource opens (readyState 1), fails within
    milliseconds (readyState 0) and tries again every few seconds, for ever. The
    real reason is in the service's log alone.

    Do whatever can fail before the response starts, and answer 401, 403 or 503 there.
    """
    symptom = case.symptom("app", Kind.CLOSED_AT_ONCE)
    stream = case.topology.stream("app")
    if symptom is None or stream is None or evicted(case):
        return
    started = stream.started
    near = [
        line.text
        for line in case.unit_log()
        if line.at is not None and started - _AROUND <= line.at <= started + stream.window + _AROUND
    ]
    raised = [text for text in near if _RAISED.search(text)]
    reasons = [match[1] for text in near if (match := _EXCEPTION.match(text))]
    unit = case.topology.unit
    evidence = [symptom.text]
    if reasons:
        evidence.append(f"journal of {unit.name if unit else 'the service'}: {reasons[-1]}")
    elif raised:
        evidence.append(f"journal of {unit.name if unit else 'the service'}: {raised[-1]}")
    missing = "" if raised or reasons else "no exception near the request in a log we could read"
    yield Finding(
        hop="app",
        where=unit.name if unit else stream.address,
        observed="200 text/event-stream, then closed with no event"
        + (f": {reasons[-1]}" if reasons else ""),
        expected="authorise and subscribe first, then answer and keep the stream open",
        evidence=tuple(evidence),
        certainty=3 if raised or reasons else 1,
        out_of_reach=missing,
        advice=(
            Advice(
                Audience.SERVER,
                "Move what can fail (token check, permission, broker subscription, first query) "
                "out of the generator to before the response is created, and answer 401, 403 or "
                "503 there. In Starlette or FastAPI: a dependency or the first lines of the "
                "handler, not the body of the iterator given to EventSourceResponse.",
            ),
        ),
    )
