"""Cause: nginx_http10_upstream."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.intent import meant
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.rules import Sign, configured, rule
from ssemedic.stream.detect import observe_one
from ssemedic.symptoms import Kind

_KINDS = (Kind.CLOSED_AT_ONCE, Kind.ENDED, Kind.RESET, Kind.WRONG_STATUS, Kind.WRONG_TYPE)


@rule(
    layer=Layer.NGINX,
    severity=Severity.BROKEN,
    explains=(
        Kind.CLOSED_AT_ONCE,
        Kind.ENDED,
        Kind.RESET,
        Sign(Kind.WRONG_STATUS, (400, 426, 502, 505)),
    ),
    needs=("nginx", "streams"),
)
def nginx_http10_upstream(case: Case) -> Iterator[Finding]:
    """nginx speaks HTTP/1.0 to an app that does not stream over it.

    Before 1.29.7 nginx asks its upstream with HTTP/1.0 and `Connection: close`
    unless told otherwise. Most apps stream all the same; some end the answer after
    the headers or refuse. The browser sees the stream open (readyState 1) and fail
    within milliseconds (readyState 0); asked directly, the app is perfect.

    It is a cause only where asking the app with HTTP/1.0 shows the same fault.
    """
    hop, route = case.asking
    if route.serves != "proxy":
        return
    version = route.setting("proxy_http_version")
    if version.values[0][0] != "1.0":
        return
    elsewhere = meant(route)
    if elsewhere is not None and "proxy_http_version" in elsewhere.settings:
        return  # it is set, and does not count: that is another cause
    symptom = case.symptom(hop, *_KINDS)
    # Where the app is asked elsewhere or for another path than by nginx, that is another test.
    plain = case.topology.stream("app", "target") or case.topology.stream("app")
    counter = case.topology.stream("app", "http10")
    if plain is None or counter is None or not plain.is_event_stream:
        return
    shown = [s for s in observe_one(counter) if s.kind in _KINDS]
    if not shown or [s for s in observe_one(plain) if s.kind in _KINDS]:
        return
    yield _finding(
        version.where,
        "proxy_http_version is 1.0, and the app does not stream over HTTP/1.0",
        hop=hop,
        evidence=tuple(
            filter(
                None,
                (
                    symptom.text if symptom else "",
                    f"counter-test, the app asked with HTTP/1.0: {shown[0].text}",
                    f"the app asked with HTTP/1.1 streams: {plain.size} bytes, "
                    f"still open after {plain.end.at:.1f} s",
                ),
            )
        ),
    )


@configured(nginx_http10_upstream)
def _configured(found: Route, _endpoint: Endpoint) -> Iterator[Finding]:
    version = found.setting("proxy_http_version")
    if found.serves != "proxy" or not found.handler or found.handler.name != "proxy_pass":
        return
    if version.values[0][0] == "1.0":
        yield _finding(
            version.where,
            "proxy_http_version is 1.0",
            depends="the app does not stream over HTTP/1.0",
        )


def _finding(
    where: str,
    observed: str,
    evidence: tuple[str, ...] = (),
    depends: str = "",
    hop: str = "nginx",
) -> Finding:
    return Finding(
        hop=hop,
        where=where,
        observed=observed,
        expected='proxy_http_version 1.1 and proxy_set_header Connection ""',
        evidence=evidence,
        certainty=3,
        remedy=NginxRemedy(
            {"proxy_http_version": (("1.1",),), "proxy_set_header": (("Connection", ""),)}
        ),
        depends=depends,
    )
