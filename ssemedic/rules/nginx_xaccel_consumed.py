"""Cause: nginx_xaccel_consumed."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.buffering import SIGNS, held
from ssemedic.finding import Finding, Layer, NginxRemedy, Severity
from ssemedic.rules import rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=SIGNS, needs=("nginx", "streams"))
def nginx_xaccel_consumed(case: Case) -> Iterator[Finding]:
    """The app's word against buffering reaches the inner nginx and not the outer one.

    Two nginx servers stand in a row. The app sends `X-Accel-Buffering: no`; the inner
    one obeys it and, as with every X-Accel header, keeps it to itself. So the outer
    one buffers by its default: the stream is on time at the inner server and held
    back at the outer one.

    `proxy_buffering off` in the outer location ends it. So would
    `proxy_pass_header X-Accel-Buffering` in the inner one.
    """
    for one in held(case, "nginx_xaccel_consumed"):
        inner = case.topology.inner
        at = inner.location.where if inner is not None and inner.location else "the inner server"
        yield Finding(
            hop=one.hop,
            where=one.setting.where,
            observed="proxy_buffering is on, and the app's X-Accel-Buffering: no stops at the "
            f"inner nginx ({at})",
            expected="proxy_buffering off in the outer location too",
            evidence=(
                *one.evidence,
                "the app sends X-Accel-Buffering: no, and what the inner nginx sends has none",
            ),
            certainty=3,
            remedy=NginxRemedy({one.off: (("off",),)}),
        )
