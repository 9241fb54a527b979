"""Cause: pipe_nats_slow_or_denied."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.broker_log import said_by_broker, said_by_service
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_DENIED = re.compile(
    r"(?i)(?:subscription|publish) violation|permissions violation for (?:subscription|publish)"
)
_SLOW = re.compile(r"(?i)slow consumer")
_SUBJECT = re.compile(r"(?i)subject \"?([^\s\",]+)|(?:subscription|publish) to \"?([^\s\",]+)")


@rule(
    layer=Layer.PIPELINE,
    severity=Severity.BROKEN,
    explains=(Kind.CANARY_LOST, Sign(Kind.WRONG_STATUS, (500, 502, 503))),
    needs=("brokers", "logs", "streams"),
)
def pipe_nats_slow_or_denied(case: Case) -> Iterator[Finding]:
    """NATS refuses what the service wants to hear, or cuts it off as too slow.

    A user without the permission for a subject gets an error that arrives *after* the
    subscription seemed to succeed; most libraries hand it to a callback that nobody set. A
    consumer that does not read fast enough is disconnected ("Slow Consumer"), and what was
    waiting is gone. Streams stay open on pings, or a service that checks answers 503.

    Grant the permission, or read faster and resynchronise the streams after a loss.
    """
    symptom = case.symptom("app", Kind.CANARY_LOST, Kind.WRONG_STATUS)
    nats = [b for b in case.evidence.brokers or () if b.kind == "nats"]
    if symptom is None or not nats:
        return
    for pattern, is_denial in ((_DENIED, True), (_SLOW, False)):
        lines = said_by_broker(case, "nats", pattern) + said_by_service(case, pattern)
        if is_denial and lines:
            yield _denied(case, symptom.text, lines, nats[0].address)
            return
        if lines and symptom.kind is Kind.CANARY_LOST:
            yield _slow(case, symptom.text, lines, nats[0].address)
            return


def _denied(case: Case, seen: str, lines: list[str], address: str) -> Finding:
    match = _SUBJECT.search(lines[-1])
    subject = (match[1] or match[2]).strip("'\"") if match else "the subject"
    publishing = "publish" in lines[-1].lower()
    verb = "publish" if publishing else "subscribe"
    unit = case.topology.unit
    who = unit.name if unit else "the service"
    return Finding(
        hop="app",
        where=f"nats {address}",
        observed=f"NATS does not let {who} {verb} to {subject}",
        expected=f"permission to {verb} to {subject}",
        evidence=(seen, f"logged {len(lines)} times: {lines[-1]}"),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                f"Allow it in nats-server.conf, for the user that {who} connects as: permissions: "
                f'{{ {verb}: {{ allow: ["{subject}"] }} }}, a deny rule above it wins; then '
                "nats-server --signal reload. In the service set the library's error callback and "
                "treat a permissions violation as fatal: without it the subscription looks fine.",
            ),
        ),
    )


def _slow(case: Case, seen: str, lines: list[str], address: str) -> Finding:
    unit = case.topology.unit
    who = unit.name if unit else "the service"
    return Finding(
        hop="app",
        where=f"nats {address}",
        observed=f"NATS cut {who} off as a slow consumer",
        expected="a consumer that reads as fast as is published",
        evidence=(seen, f"logged {len(lines)} times: {lines[-1]}"),
        certainty=2,
        advice=(
            Advice(
                Audience.SERVER,
                f"Let the callback of {who} only put messages into its own queues and never wait "
                "for a client or a database; raise pending_msgs_limit and pending_bytes_limit of "
                "the subscription (nats-py: subscribe(..., pending_msgs_limit=...)) for bursts. "
                "When the library reports a slow consumer, end the streams so that the clients "
                "reconnect and fetch what they missed.",
            ),
        ),
    )
