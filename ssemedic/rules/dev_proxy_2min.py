"""Cause: dev_proxy_2min."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.dev_server import CUT, HOP, after_seconds, is_next
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule

#: The socket timeout of Node before 13 and of http-proxy on it, in seconds.
_TIMEOUT = 120.0
_LATE = 1.5


@rule(layer=Layer.DEVPROXY, severity=Severity.DEGRADED, explains=CUT, needs=("streams",))
def dev_proxy_2min(case: Case) -> Iterator[Finding]:
    """The dev proxy cuts the stream after two minutes of silence.

    Node before version 13 and old http-proxy end a socket on which nothing moved for
    120 s. Only a watch of more than two minutes shows it (`--for 150`).

    Set `timeout: 0` and `proxyTimeout: 0` for the path, and let the app send a comment
    every 15 to 30 s.
    """
    cut = case.symptom(HOP, *CUT)
    seconds = after_seconds(cut) if cut is not None else None
    if cut is None or seconds is None or is_next(case):
        return
    if not -0.3 <= seconds - _TIMEOUT <= _LATE:
        return
    yield Finding(
        hop=HOP,
        where=case.endpoint.devproxy or HOP,
        observed=cut.text,
        expected="the stream stays open as long as the hop inside it",
        evidence=(cut.text, "no hop inside breaks off at that time"),
        certainty=2,
        advice=(
            Advice(
                Audience.FRONTEND,
                "http-proxy-middleware and Vite's server.proxy: `timeout: 0, proxyTimeout: 0` for "
                "the stream's path; Node 13 or newer has no socket timeout of its own.",
            ),
            Advice(
                Audience.SERVER,
                "Send a comment (`: ping`) every 15 to 30 s: then no hop sees two idle minutes.",
            ),
        ),
    )
