"""Cause: app_broadcast_lagged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.broker_log import said_by_service
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_LAGGED = re.compile(
    r"(?i)\blagged\b|RecvError::Lagged|channel lagged|(?:queue|buffer) (?:is )?full.{0,40}drop"
    r"|dropp(?:ed|ing) \d+ (?:events?|messages?)|slow (?:client|receiver|subscriber)"
    r"|client too slow|missed \d+ (?:events?|messages?)"
)


@rule(
    layer=Layer.APP,
    severity=Severity.DEGRADED,
    explains=(Kind.ENDED, Kind.CLOSED_AT_ONCE, Kind.CUT_AFTER, Kind.CANARY_LOST),
    needs=("streams", "logs"),
)
def app_broadcast_lagged(case: Case) -> Iterator[Finding]:
    """The app's own broadcast buffer overflows, and streams that lag behind end or skip events.

    Each stream reads from a ring or a queue of a fixed size. A burst, or a client on a slow line,
    is a whole buffer behind: Rust's `broadcast` answers `Lagged(n)`, other queues raise or drop.
    A handler that only expects a message takes that for the end and closes the stream cleanly, or
    goes on with a gap that nobody notices.

    Say so on the stream and let the client fetch what it missed, or close it on purpose so that
    it reconnects; and make the buffer fit the bursts.
    """
    lines = said_by_service(case, _LAGGED)
    if not lines:
        return
    symptom = case.symptom("app", Kind.ENDED, Kind.CLOSED_AT_ONCE, Kind.CUT_AFTER, Kind.CANARY_LOST)
    unit = case.topology.unit
    stream = case.topology.stream("app")
    near = stream is not None and any(
        line.at is not None and stream.started <= line.at <= stream.started + stream.window + 5
        for line in case.unit_log()
        if _LAGGED.search(line.text)
    )
    if symptom is None or not near:
        return  # one slow client is ended now and then by every good service
    who = unit.name if unit else "the app"
    yield Finding(
        hop="app",
        where=who,
        observed=f"{symptom.text}, while streams lagged behind the app's buffer",
        expected="a stream that lags is told so, and goes on or reconnects",
        evidence=(symptom.text, f"journal of {who}, {len(lines)} times: {lines[-1]}"),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Handle the lag where the stream reads: in Rust match Err(RecvError::Lagged(n)), "
                "send an event such as `event: resync` and go on with the loop, in place of "
                "`while let Ok(..)`; elsewhere catch the full queue and do the same. Give the "
                "channel room for the largest burst (broadcast::channel(1024)), and send ids so "
                "that a client can ask for what it missed with Last-Event-ID.",
            ),
        ),
    )
