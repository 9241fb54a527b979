"""Cause: dev_compress."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.dev_server import HELD, HOP, coding_of_its_own, is_next, only_for_gzip
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.DEVPROXY,
    severity=Severity.BROKEN,
    explains=(*HELD, Kind.COMPRESSED, Kind.NOT_PARSABLE),
    needs=("streams",),
)
def dev_compress(case: Case) -> Iterator[Finding]:
    """The dev proxy compresses the stream and keeps the events in its compressor.

    Dev servers (webpack-dev-server, Create React App, a compressing middleware in
    Vite) compress whatever passes. A browser asks with `Accept-Encoding: gzip`, so
    events wait until the compressor's buffer is full or the stream ends. In
    production, and with curl, the same stream is fine.

    Leave the stream out of the compression, or let the app say
    `Cache-Control: no-cache, no-transform`, which the compressing middleware obeys.
    """
    symptom = case.symptom(HOP, *HELD, Kind.COMPRESSED, Kind.NOT_PARSABLE)
    if symptom is None or is_next(case):
        return
    compressed = coding_of_its_own(case)
    if compressed is None and not only_for_gzip(symptom):
        return
    evidence = [symptom.text]
    if only_for_gzip(symptom):
        evidence.append("counter-test: asked with Accept-Encoding: identity the events pass")
    if compressed is not None:
        evidence.append(
            f"the dev proxy answers Content-Encoding: {compressed[1]}, nobody inside does"
        )
    yield Finding(
        hop=HOP,
        where=case.endpoint.devproxy or HOP,
        observed="the dev proxy compresses text/event-stream",
        expected="the stream passes as it comes",
        evidence=tuple(evidence),
        certainty=3,
        advice=(
            Advice(
                Audience.FRONTEND,
                "Leave the stream out of the dev server's compression: webpack-dev-server "
                "`compress: false`, the compression middleware `filter: (req, res) => "
                "!req.headers.accept?.includes('text/event-stream')`.",
            ),
            Advice(
                Audience.SERVER,
                "Or send `Cache-Control: no-cache, no-transform` with the stream: the compression "
                "middleware of Node leaves such an answer alone.",
            ),
        ),
    )
