"""Cause: nginx_read_timeout_idle."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.duration import spell
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Setting, seconds
from ssemedic.rules import rule
from ssemedic.symptoms import Kind, Symptom

_WISHED = "1h"
#: How far a measured cut may be from the configured timeout (seconds; the machine may stall).
_TOLERANCE = 1.5


@rule(
    layer=Layer.NGINX,
    severity=Severity.DEGRADED,
    explains=(Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER),
    needs=("nginx", "streams"),
)
def nginx_read_timeout_idle(case: Case) -> Iterator[Finding]:
    """nginx cuts the stream when the app is silent longer than proxy_read_timeout.

    The chunked body is broken off without its last chunk
    (ERR_INCOMPLETE_CHUNKED_ENCODING), the browser reconnects, and it begins anew:
    a stream that drops every 60 s of silence. error.log says "upstream timed out
    ... while reading upstream".

    A longer timeout without a keep-alive only moves the wall; a keep-alive comment
    every 15 to 25 s removes it.
    """
    route = case.route
    if route.serves != "proxy":
        return
    setting = route.setting("proxy_read_timeout")
    timeout = seconds(setting.values[0][0])
    if timeout is None:
        return
    symptom = case.symptom("nginx", Kind.CUT_WHEN_IDLE, Kind.CUT_AFTER)
    if symptom is not None:
        if not _fits(symptom, timeout):
            return
        yield _finding(case, setting, timeout, symptom)
        return
    keepalive = case.endpoint.keepalive_seconds
    if keepalive is not None and keepalive >= timeout:
        yield _finding(case, setting, timeout, None)


def _fits(symptom: Symptom, timeout: float) -> bool:
    """True if the cut came when the timeout says; nginx's own log line needs no measuring."""
    if symptom.source != "stream":
        return True
    measured = symptom.measured.get("idle_seconds")
    return measured is not None and abs(float(measured) - timeout) <= _TOLERANCE + timeout * 0.05


def _finding(case: Case, setting: Setting, timeout: float, symptom: Symptom | None) -> Finding:
    keepalive = case.endpoint.keepalive_seconds
    evidence = [symptom.text] if symptom else []
    if keepalive is not None:
        evidence.append(f"the app is silent for {spell(keepalive)} between keep-alives")
    app = case.topology.stream("app")
    if symptom and symptom.source == "stream" and app is not None and app.open_at_end:
        evidence.append(f"asked directly, the app kept the stream open for {app.end.at:.1f} s")
    return Finding(
        hop="nginx",
        where=setting.where,
        observed=f"proxy_read_timeout is {spell(timeout)}, shorter than the app's silence",
        expected=f"proxy_read_timeout {_WISHED}, and a keep-alive every 15 to 25 s",
        evidence=tuple(evidence),
        certainty=3,
        remedy=NginxRemedy({"proxy_read_timeout": ((_WISHED,),)}),
        advice=(
            Advice(
                Audience.SERVER,
                "Send a comment line (': ping') every 15 to 25 s on an idle stream: it also "
                "keeps load balancers, NAT and CDNs from cutting it.",
            ),
        ),
    )
