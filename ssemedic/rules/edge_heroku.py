"""Cause: edge_heroku."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, HOP, Product, cut_at, edge, inside_is_fine, refused_with
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
    found = edge(case, Product.HEROKU)
    cut = cut_at(case, 30.0, 55.0)
    symptom = cut[0] if cut else refused_with(case, (503,))
    if found is None or symptom is None:
        return
    yield Finding(
        hop=HOP,
        where=case.endpoint.url,
        observed=symptom.text,
        expected="a first byte within 30 s and one every 55 s",
        evidence=(symptom.text, found.sign, inside_is_fine(case)),
        certainty=3,
        advice=(
            Advice(
                Audience.SERVER,
                "Send `: connected` with the headers, then a comment (`: ping`) every 15 to 30 s; "
                "`heroku logs` names it H12 or H15.",
            ),
        ),
    )
