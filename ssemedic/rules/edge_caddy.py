"""Cause: edge_caddy."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import HELD, Product, finding, held_by
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule


@rule(layer=Layer.EDGE, severity=Severity.BROKEN, explains=HELD, needs=("streams",))
def edge_caddy(case: Case) -> Iterator[Finding]:
    """Caddy in front of the host holds the stream back.

    `reverse_proxy` of Caddy flushes `text/event-stream` at once; `encode` in front of it, a
    `flush_interval` with a time, a response matcher that buffers (`request_buffers`,
    `response_buffers`) or a replacement filter keeps events until a buffer is full.

    Take the stream's path out of `encode` and set `flush_interval -1` for it.
    """
    shown = held_by(case, Product.CADDY)
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "In the Caddyfile: `@stream path /events*`, then `reverse_proxy @stream HOST {"
            " flush_interval -1 }` before the rest, and `encode` only for what is not @stream; "
            "caddy validate && systemctl reload caddy",
        ),
        expected="each event passes as it comes",
    )
