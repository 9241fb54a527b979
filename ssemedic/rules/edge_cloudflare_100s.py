"""Cause: edge_cloudflare_100s."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, Product, ended_by, finding
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.EDGE,
    severity=Severity.DEGRADED,
    explains=(*CUT, Sign(Kind.WRONG_STATUS, (524,))),
    needs=("streams",),
)
def edge_cloudflare_100s(case: Case) -> Iterator[Finding]:
    """Cloudflare ends a stream on which nothing came for 100 seconds.

    The proxy waits 100 s for the next byte of the origin; then it breaks the stream off, or
    answers 524 where not even the headers had come. The limit can be raised on the Enterprise
    plan alone.

    Send a comment every 15 to 30 s, the headers at once.
    """
    shown = ended_by(case, Product.CLOUDFLARE, limits=(100.0,), statuses=(524,))
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "Send `: connected` with the headers and a comment (`: ping`) every 15 to 30 s. "
            "A longer timeout at nginx does not help: the limit is Cloudflare's.",
        ),
        expected="a byte at least every 30 s, and the headers at once",
    )
