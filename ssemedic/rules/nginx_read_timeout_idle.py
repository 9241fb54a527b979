"""Cause: nginx_read_timeout_idle."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.intent import meant
from ssemedic.duration import spell
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route, Setting, seconds
from ssemedic.rules import configured, rule
from ssemedic.symptoms import Kind, Symptom

_WISHED = "1h"
#: Up to this many seconds a timeout is told of though nothing is known of the app's silence.
_SHORT = 75.0
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
    if route.serves != "proxy" or _meant_elsewhere(route):
        return
    setting = route.stream_setting("read_timeout")
    timeout = seconds(setting.first)
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
        observed=f"{setting.name} is {spell(timeout)}, shorter than the app's silence",
        expected=f"{setting.name} {_WISHED}, and a keep-alive every 15 to 25 s",
        evidence=tuple(evidence),
        certainty=3,
        remedy=NginxRemedy({setting.name: ((_WISHED,),)}),
        advice=(_KEEPALIVE,),
    )


@configured(nginx_read_timeout_idle)
def shorter_than_the_silence(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """A timeout that the known keep-alive misses; where none is known, one that may be missed."""
    setting = route.stream_setting("read_timeout")
    timeout = seconds(setting.first)
    if route.serves != "proxy" or timeout is None or _meant_elsewhere(route):
        return
    keepalive = endpoint.keepalive_seconds
    if timeout > (_SHORT if keepalive is None else keepalive):
        return
    silence = (
        f"the app is silent for {spell(keepalive)} between keep-alives"
        if keepalive is not None
        else ""
    )
    yield Finding(
        hop="nginx",
        where=setting.where,
        observed=f"{setting.name} is {spell(timeout)}",
        expected=f"{setting.name} {_WISHED}, and a keep-alive every 15 to 25 s",
        evidence=(silence,) if silence else (),
        remedy=NginxRemedy({setting.name: ((_WISHED,),)}),
        advice=(_KEEPALIVE,),
        depends=""
        if silence
        else f"the app sends nothing, not even a comment, for {spell(timeout)}",
    )


def _meant_elsewhere(route: Route) -> bool:
    """True where a timeout was set for this URL in a location that nginx misses or leaves."""
    there = meant(route)
    return there is not None and any(name.endswith("_read_timeout") for name in there.settings)


_KEEPALIVE = Advice(
    Audience.SERVER,
    "Send a comment line (': ping') every 15 to 25 s on an idle stream: it also keeps load "
    "balancers, NAT and CDNs from cutting it.",
)
