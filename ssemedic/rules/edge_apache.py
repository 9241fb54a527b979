"""Cause: edge_apache."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, HELD, Product, ended_by, finding, held_by
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule


@rule(layer=Layer.EDGE, severity=Severity.BROKEN, explains=(*HELD, *CUT), needs=("streams",))
def edge_apache(case: Case) -> Iterator[Finding]:
    """Apache in front of the host holds the stream back.

    mod_deflate, mod_substitute and a ProxyPass without `flushpackets=on` (with mod_proxy_fcgi or
    AJP) keep events until a buffer is full, and ProxyTimeout (60 s with many distributions) ends a
    silent stream.

    Turn the filters off for the path and let Apache flush.
    """
    products = (Product.APACHE,)
    shown = held_by(case, *products) or ended_by(case, *products, limits=(60.0, 300.0))
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "In Apache: `ProxyPass /events http://HOST/events flushpackets=on timeout=3600` "
            "and `<Location /events> SetEnv no-gzip 1 </Location>`; apachectl configtest && "
            "systemctl reload apache2",
        ),
        expected="each event passes as it comes",
    )
