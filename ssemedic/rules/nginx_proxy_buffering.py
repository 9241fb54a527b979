"""Cause: nginx_proxy_buffering."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import (
    SIGNS,
    buffering,
    held,
    ignores_the_app,
    is_on,
    switched_off,
)
from ssemedic.clues.caching import kept
from ssemedic.clues.intent import family, meant, value
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=SIGNS, needs=("nginx", "streams"))
def nginx_proxy_buffering(case: Case) -> Iterator[Finding]:
    """nginx holds events back until its buffer fills.

    A small event never fills the buffer, so the browser sees nothing, often not
    even the headers, until the app ends the stream; then everything at once.
    Asked directly, the app streams on time.

    The directive alone is no fault: a chunked answer over HTTP/1.1 passes it, and
    `X-Accel-Buffering: no` from the app switches it off. It is a cause only where
    the arrival times show it. Of two nginx servers in a row the inner one is changed,
    and tells the outer one by that header. FastCGI, uwsgi and SCGI have a directive of their own;
    what is behind them cannot be asked directly, so there it stays a suspicion.
    """
    for one in held(case, "nginx_proxy_buffering"):
        remedy = NginxRemedy(switched_off(case, one))
        now = "on by default" if one.setting.is_default else "on"
        unasked = (
            "" if one.upstream is not None else f"{family(one.route)} cannot be asked directly"
        )
        yield Finding(
            hop=one.hop,
            where=one.setting.where,
            observed=f"{one.off} is {now}, and events do not pass in time",
            expected=f"{one.off} off in the location of the stream",
            evidence=one.evidence,
            certainty=one.certainty,
            remedy=remedy,
            advice=(Advice(Audience.SERVER, _by_hand(one.off, one.route)),) if unasked else (),
            out_of_reach=unasked,
        )


@configured(nginx_proxy_buffering)
def configured_buffering(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Buffering is in force and nginx cannot see the parts of the answer."""
    if not is_on(route) or meant(route) is not None:
        return
    if ignores_the_app(route) is not None or kept(route, None) is not None:
        return  # those have a rule each
    if family(route) == "proxy" and value(route, "proxy_http_version", "1.0") != "1.0":
        return
    off = f"{family(route)}_buffering"
    asked = "nginx asks with HTTP/1.0, " if family(route) == "proxy" else ""
    yield Finding(
        hop="nginx",
        where=buffering(route).where,
        observed=f"{off} is on for {endpoint.url}",
        expected=f"{off} off in the location of the stream",
        remedy=NginxRemedy({off: (("off",),)}),
        depends=f"{asked}the app ends its answer by closing it (HTTP/1.0 has no chunks) and sends "
        "no X-Accel-Buffering: no",
    )


def _by_hand(off: str, route: Route) -> str:
    place = route.location.where if route.location else "the location of the stream"
    return f"Set `{off} off;` in {place}, reload nginx and look again."
