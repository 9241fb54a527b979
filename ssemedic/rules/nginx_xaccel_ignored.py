"""Cause: nginx_xaccel_ignored."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import SIGNS, held, ignores_the_app, is_on, switched_off
from ssemedic.clues.intent import value
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=SIGNS, needs=("nginx", "streams"))
def nginx_xaccel_ignored(case: Case) -> Iterator[Finding]:
    """The app forbids buffering, and nginx is told to ignore that.

    The app sends `X-Accel-Buffering: no`, which nginx would obey. A line
    `proxy_ignore_headers X-Accel-Buffering`, often one of a group for caching,
    takes the header's effect away, so events wait in the buffer as if it were not
    sent. The header shows when the app is asked directly, and never at the client.

    `proxy_buffering off` in the location of the stream says the same by other means
    and leaves the other ignored headers as they are.
    """
    for one in held(case, "nginx_xaccel_ignored"):
        yield Finding(
            hop=one.hop,
            where=one.setting.where,
            observed=f"{one.setting.name} names X-Accel-Buffering, and the app sends it: no",
            expected=f"the app's X-Accel-Buffering heeded, or {one.off} off",
            evidence=one.evidence,
            certainty=3,
            remedy=NginxRemedy(switched_off(case, one)),
        )


@configured(nginx_xaccel_ignored)
def configured_ignored(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Buffering is in force, and the one way for the app to end it is closed."""
    ignored = ignores_the_app(route)
    if ignored is None or not is_on(route):
        return
    if value(route, "proxy_http_version", "1.0") != "1.0":
        return
    off = ignored.name.replace("ignore_headers", "buffering")
    yield Finding(
        hop="nginx",
        where=ignored.where,
        observed=f"{ignored.name} names X-Accel-Buffering, and {off} is on for {endpoint.url}",
        expected=f"the app's X-Accel-Buffering heeded, or {off} off",
        remedy=NginxRemedy({off: (("off",),)}),
        depends="the app ends its answer by closing it (HTTP/1.0 has no chunks)",
    )
