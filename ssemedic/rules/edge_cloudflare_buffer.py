"""Cause: edge_cloudflare_buffer."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import HELD, Product, finding, held_by
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule


@rule(layer=Layer.EDGE, severity=Severity.BROKEN, explains=HELD, needs=("streams",))
def edge_cloudflare_buffer(case: Case) -> Iterator[Finding]:
    """Cloudflare holds the stream back.

    Cloudflare passes `text/event-stream` on as it comes, but not what it transforms: with
    compression of another type, Rocket Loader, email obfuscation, a cache rule or a Worker that
    reads the body, events wait until a buffer is full. At nginx the same stream is on time.

    Send `Cache-Control: no-cache, no-transform` with the stream, and leave its path out of cache
    rules and Workers; where that does not help, a DNS record without the proxy does.
    """
    shown = held_by(case, Product.CLOUDFLARE)
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "Send `Cache-Control: no-cache, no-transform` and `Content-Type: "
            "text/event-stream` with the stream: Cloudflare then neither compresses nor "
            "rewrites it.",
        ),
        Advice(
            Audience.VENDOR,
            "Cloudflare dashboard: a cache rule `bypass` for the path, no Worker or Snippet "
            "on it, and Rocket Loader and email obfuscation off for it.",
        ),
        expected="each event passes as it comes",
    )
