"""Cause: nginx_proxy_buffering."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import rule
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    # A stream that is cut while nginx still holds all of it back looks closed at once.
    explains=(Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE, Kind.CLOSED_AT_ONCE),
    needs=("nginx", "streams"),
)
def nginx_proxy_buffering(case: Case) -> Iterator[Finding]:
    """nginx holds events back until its buffer fills.

    A small event never fills the buffer, so the browser sees nothing, often not
    even the headers, until the app ends the stream; then everything at once.
    Asked directly, the app streams on time.

    The directive alone is no fault: a chunked answer over HTTP/1.1 passes it, and
    `X-Accel-Buffering: no` from the app switches it off. It is a cause only where
    the arrival times show it.
    """
    route = case.route
    symptom = case.symptom("nginx", Kind.BUFFERED, Kind.NO_ANSWER, Kind.HEADERS_LATE)
    app = case.topology.stream("app")
    if route.serves != "proxy" or symptom is None or app is None:
        return
    buffering = route.setting("proxy_buffering")
    if buffering.values[0][0] == "off" or _switched_off(app, route):
        return
    if app.phases.headers is None:
        return
    if case.topology.app_found_elsewhere and len(route.targets) == 1:
        return  # nginx never asked this app, so it can hold nothing of it back
    version = route.setting("proxy_http_version")
    mechanism = (
        "the app's answer is close-delimited (HTTP/1.0 to the upstream), which nginx reads until "
        "4 or 8 KiB are full"
        if version.values[0][0] == "1.0"
        else "nginx collects the answer into its buffers"
    )
    yield Finding(
        hop="nginx",
        where=buffering.where,
        observed=f"proxy_buffering is {buffering.values[0][0]}, and events do not pass in time",
        expected="proxy_buffering off in the location of the stream",
        evidence=(symptom.text, f"mechanism: {mechanism}", _on_time(app)),
        certainty=3 if symptom.kind is Kind.BUFFERED else 2,
        remedy=NginxRemedy({"proxy_buffering": (("off",),)}),
    )


def _switched_off(app: Stream, route: Route) -> bool:
    """True if the app's X-Accel-Buffering: no reaches nginx and counts there."""
    ignored = route.setting("proxy_ignore_headers").values
    names = {arg.lower() for args in ignored for arg in args}
    if "x-accel-buffering" in names:
        return False
    return any(value.strip().lower() == "no" for value in app.header_values("x-accel-buffering"))


def _on_time(app: Stream) -> str:
    first = f", first byte after {app.reads[0].at:.2f} s" if app.reads else ""
    return f"asked directly, the app answers after {app.phases.headers or 0:.2f} s{first}"
