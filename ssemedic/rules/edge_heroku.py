"""Cause: edge_heroku."""

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
    explains=(*CUT, Sign(Kind.WRONG_STATUS, (503,))),
    needs=("streams",),
)
def edge_heroku(case: Case) -> Iterator[Finding]:
    """The Heroku router ends a stream that is silent for 55 seconds.

    The router wants the first byte within 30 s (H12, 503) and a byte every 55 s after that (H15).
    Neither can be set.

    Send the headers and a comment at once, and a comment every 15 to 30 s.
    """
    shown = ended_by(case, Product.HEROKU, limits=(30.0, 55.0), statuses=(503,))
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.SERVER,
            "Send `: connected` with the headers, then a comment (`: ping`) every 15 to 30 s; "
            "`heroku logs` names it H12 or H15.",
        ),
        expected="a first byte within 30 s and one every 55 s",
    )
