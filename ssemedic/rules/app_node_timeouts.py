"""Cause: app_node_timeouts."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.framework import Server, framework_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_CUT = (Kind.CUT_AFTER, Kind.CUT_WHEN_IDLE, Kind.RESET)
#: server.timeout before Node 13; undici's bodyTimeout, of a Node that fetches the stream.
_LIMITS = ((120.0, "server.timeout of Node before 13"), (300.0, "undici's bodyTimeout"))
_EARLY, _LATE = 0.4, 2.0


@rule(layer=Layer.APP, severity=Severity.DEGRADED, explains=_CUT, needs=("streams", "processes"))
def app_node_timeouts(case: Case) -> Iterator[Finding]:
    """Node ends the stream at a timeout of its own.

    Before version 13 `server.timeout` ended a connection on which nothing moved for 120 s; a
    Node that fetches the stream from elsewhere gives up after 300 s without a byte (undici's
    bodyTimeout). `keepAliveTimeout` and `requestTimeout`, often blamed, do not end an answer
    that is under way.

    Send a comment every 15 to 30 s, and lift the limit for the stream.
    """
    symptom = case.symptom("app", *_CUT)
    framework = framework_of(case)
    if symptom is None or framework.server is not Server.NODE:
        return
    idle = symptom.measured.get("idle_seconds")
    if not isinstance(idle, (int, float)):
        return
    whose = next((w for limit, w in _LIMITS if -_EARLY <= idle - limit <= _LATE), None)
    if whose is None:
        return
    unit = case.topology.unit
    yield Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=f"{framework.label} ends the stream after {idle:.0f} s of silence: {whose}",
        expected="a stream lives as long as its client wants it",
        evidence=(symptom.text, *framework.seen[:1]),
        certainty=2,
        advice=(
            Advice(
                Audience.SERVER,
                "res.write(': ping\\n\\n') every 15 to 30 s; `server.setTimeout(0)` or "
                "`req.socket.setTimeout(0)` for the stream with Node before 13; where Node fetches "
                "the stream itself: `new Agent({bodyTimeout: 0})`.",
            ),
        ),
    )
