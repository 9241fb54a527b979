"""Cause: app_django_sync_iterator."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_HELD = (Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.BUFFERED, Kind.SILENT)
#: django/http/response.py, from 4.2 on, once for each such answer.
_LOGGED = "StreamingHttpResponse must consume synchronous iterators"


@rule(layer=Layer.APP, severity=Severity.BROKEN, explains=_HELD, needs=("units", "logs", "streams"))
def app_django_sync_iterator(case: Case) -> Iterator[Finding]:
    """Django under ASGI reads a synchronous iterator to its end before it sends anything.

    A `StreamingHttpResponse` over a plain generator streams under WSGI. Under ASGI it is
    collected first, in a thread; a stream has no end, so not even the headers leave. Django
    warns of it once for each answer.

    Give the response an asynchronous generator.
    """
    held = case.symptom("app", *_HELD)
    lines = [line.text for line in case.unit_log() if _LOGGED in line.text]
    if held is None or not lines:
        return
    yield Finding(
        hop="app",
        where=case.unit.name,
        observed="Django collects a synchronous iterator under ASGI",
        expected="an asynchronous generator, which streams",
        evidence=(held.text, f"journal of {case.unit.name}: {lines[-1]}"),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Make the view `async def` and its generator `async def` with `await "
                "asyncio.sleep(...)` or an asynchronous queue in it; or serve this path by WSGI "
                "with threads (gunicorn -k gthread). Middleware on the path must be asynchronous, "
                "too.",
            ),
        ),
    )
