"""Cause: edge_haproxy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.case import Case
from ssemedic.clues.edge import HOP, inside_is_fine
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind

_CUT = (Kind.CUT_WHEN_IDLE, Kind.ENDED)


@rule(
    layer=Layer.EDGE,
    severity=Severity.DEGRADED,
    explains=_CUT,
    needs=("streams", "listeners"),
)
def edge_haproxy(case: Case) -> Iterator[Finding]:
    """HAProxy ends a stream that is silent for its `timeout client` or `timeout server`.

    Both count from the last byte, and the shorter one ends the stream: 50 s in Debian's
    example configuration, 30 s or 60 s in many others. `timeout tunnel` is for WebSockets and
    does not apply.

    Send a comment more often than that, or give the stream a backend of its own with longer
    timeouts.
    """
    symptom = case.symptom(HOP, *_CUT)
    parts = urlsplit(case.endpoint.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    there = next(
        (
            x
            for x in case.evidence.listeners or ()
            if x.port == port and (x.process or "").startswith("haproxy")
        ),
        None,
    )
    if symptom is None or there is None:
        return
    idle = symptom.measured.get("idle_seconds")
    if not isinstance(idle, (int, float)) or idle < 1.0:
        return
    yield Finding(
        hop=HOP,
        where=f"haproxy, port {port}",
        observed=f"HAProxy ends the stream after {idle:.0f} s of silence",
        expected="timeouts longer than the silence between two heartbeats",
        evidence=(
            symptom.text,
            f"{there.process} listens at {there.address}:{port} on this host",
            inside_is_fine(case),
        ),
        certainty=2,
        advice=(
            Advice(
                Audience.SERVER,
                "In haproxy.cfg, in the frontend `timeout client 1h` and in the backend of the "
                "stream `timeout server 1h` (`use_backend stream if { path_beg /events }`), then: "
                "haproxy -c -f /etc/haproxy/haproxy.cfg && systemctl reload haproxy; and send a "
                "comment every 15 to 30 s.",
            ),
        ),
    )
