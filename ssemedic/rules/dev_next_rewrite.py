"""Cause: dev_next_rewrite."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.dev_server import CUT, HELD, HOP, after_seconds, is_next
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

#: experimental.proxyTimeout of Next.js, by default, in seconds.
_PROXY_TIMEOUT = 30.0
_LATE = 1.5


@rule(
    layer=Layer.DEVPROXY,
    severity=Severity.BROKEN,
    explains=(*HELD, *CUT, Kind.COMPRESSED, Kind.NOT_PARSABLE),
    needs=("streams",),
)
def dev_next_rewrite(case: Case) -> Iterator[Finding]:
    """Next.js holds the stream back or cuts it where a rewrite passes it on.

    `rewrites()` and `next start` compress what passes, so events wait in the
    compressor; and the proxy behind a rewrite gives up after 30 s without a byte
    (`experimental.proxyTimeout`).

    Serve the stream from a route handler that pipes the body, or ask the service
    directly; turn compression off; and let the app send a comment every 15 s.
    """
    if not is_next(case):
        return
    held = case.symptom(HOP, *HELD, Kind.COMPRESSED, Kind.NOT_PARSABLE)
    cut = case.symptom(HOP, *CUT)
    seconds = after_seconds(cut) if cut is not None else None
    in_time = seconds is not None and -0.3 <= seconds - _PROXY_TIMEOUT <= _LATE
    symptom = held or (cut if in_time else None)
    if symptom is None:
        return
    yield Finding(
        hop=HOP,
        where=case.endpoint.devproxy or HOP,
        observed=symptom.text,
        expected="the stream passes as it comes, for as long as it is open",
        evidence=(symptom.text, "the dev proxy says X-Powered-By: Next.js, nobody inside does"),
        certainty=3,
        advice=(
            Advice(
                Audience.FRONTEND,
                "Replace the rewrite of the stream's path by a route handler that returns "
                "`new Response((await fetch(target, {signal: req.signal})).body, {headers: "
                "{'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache, no-transform', "
                "'Content-Encoding': 'none'}})`; set `compress: false` in next.config.js.",
            ),
            Advice(
                Audience.SERVER,
                "Send a comment (`: ping`) at least every 15 s: a rewrite of Next.js ends after "
                "30 s of silence.",
            ),
        ),
    )
