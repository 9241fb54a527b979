"""Cause: nginx_gzip_event_stream."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import SIGNS, held, is_on
from ssemedic.clues.intent import value
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.nginx import Route
from ssemedic.nginx.compression import zipping
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=SIGNS, needs=("nginx", "streams"))
def nginx_gzip_event_stream(case: Case) -> Iterator[Finding]:
    """nginx compresses the stream while it buffers, so the compressor keeps the events.

    With `proxy_buffering off`, gzip flushes after every event and the stream is on
    time. With buffering on, nothing tells the compressor to flush: whoever asks
    with `Accept-Encoding: gzip`, as every browser does, gets neither headers nor
    events until the compressor's buffer is full. curl without it sees a perfect stream.

    Event streams gain little by compression, and each open one holds a compressor
    in memory: `gzip off` and `proxy_buffering off` in the location of the stream.
    """
    for one in held(case, "nginx_gzip_event_stream"):
        yield Finding(
            hop=one.hop,
            where=one.setting.where,
            observed="gzip covers text/event-stream, and buffering is on "
            f"({case.route.setting(one.off).where})",
            expected=f"gzip off and {one.off} off in the location of the stream",
            evidence=(
                *one.evidence,
                "counter-test: asked with Accept-Encoding: identity the events pass in time",
            ),
            certainty=3,
            remedy=NginxRemedy({"gzip": (("off",),), one.off: (("off",),)}),
        )


@configured(nginx_gzip_event_stream)
def configured_gzip(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Compression of a stream that nginx also buffers; HTTP/1.0 alone would hold it anyway."""
    types = zipping(route)
    if types is None or not is_on(route) or value(route, "proxy_http_version", "1.0") == "1.0":
        return
    yield Finding(
        hop="nginx",
        where=types.where,
        observed=f"gzip covers text/event-stream, and buffering is on for {endpoint.url}",
        expected="gzip off and proxy_buffering off in the location of the stream",
        remedy=NginxRemedy({"gzip": (("off",),), "proxy_buffering": (("off",),)}),
        depends="the client takes gzip, as browsers do, and the app sends no X-Accel-Buffering: no",
    )
