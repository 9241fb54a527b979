"""Cause: app_basehttpmiddleware."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_SIGNS = (
    *(Kind.CLOSED_AT_ONCE, Kind.RESET, Kind.ENDED, Kind.CUT_AFTER),
    *(Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.BUFFERED),
)
#: What Starlette raises out of it: starlette/middleware/base.py.
_RAISED = re.compile(
    r"RuntimeError: (?:No response returned\.|Unexpected message received: http\.request)"
)
_PLACE = "starlette/middleware/base.py"


@rule(
    layer=Layer.APP, severity=Severity.BROKEN, explains=_SIGNS, needs=("units", "logs", "streams")
)
def app_basehttpmiddleware(case: Case) -> Iterator[Finding]:
    """A middleware built on BaseHTTPMiddleware stands between the stream and its client.

    It runs the rest of the app in a task of its own and hands the body over piece by piece.
    When a client leaves, or a second such middleware is stacked on it, the stream is held,
    ended or fails with "No response returned." or "Unexpected message received".

    Write it as a pure ASGI middleware, or leave the stream's path out of it.
    """
    symptom = case.symptom("app", *_SIGNS)
    texts = [line.text for line in case.unit_log()]
    raised = [text for text in texts if _RAISED.search(text)]
    if symptom is None or not raised or not any(_PLACE in text for text in texts):
        return
    yield Finding(
        hop="app",
        where=case.unit.name,
        observed=f"BaseHTTPMiddleware fails on the stream: {raised[-1].strip()}",
        expected="a pure ASGI middleware, or none, on the stream's path",
        evidence=(symptom.text, f"journal of {case.unit.name}, {len(raised)} times: {raised[-1]}"),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Replace `class X(BaseHTTPMiddleware)` and `@app.middleware('http')` by a class "
                "with `async def __call__(self, scope, receive, send)` that passes `send` on; or "
                "`if scope['path'] == '/events': await self.app(scope, receive, send); return` "
                "before anything else.",
            ),
        ),
    )
