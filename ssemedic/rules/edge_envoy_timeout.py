"""Cause: edge_envoy_timeout."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import CUT, Product, ended_by, finding
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.EDGE,
    severity=Severity.BROKEN,
    explains=(*CUT, Sign(Kind.WRONG_STATUS, (504,))),
    needs=("streams",),
)
def edge_envoy_timeout(case: Case) -> Iterator[Finding]:
    """Envoy ends the stream at its route timeout.

    A route of Envoy (Istio, Contour, Gloo, App Mesh) limits the whole answer to 15 s, busy or
    not, unless its `timeout` is 0; `stream_idle_timeout` ends a silent one after 300 s. Before
    the headers it answers 504 "upstream request timeout".

    Set the route's timeout to 0 for the stream, and let the app send a comment every 30 s.
    """
    shown = ended_by(case, Product.ENVOY, limits=(15.0, 300.0), statuses=(504,))
    if shown is None:
        return
    yield finding(
        case,
        shown,
        Advice(
            Audience.VENDOR,
            "Envoy: in the route of the stream `timeout: 0s` and `idle_timeout: 0s`; Istio: "
            "`spec.http[].timeout: 0s` in the VirtualService; Contour: "
            "`timeoutPolicy: {response: infinity, idle: infinity}`.",
        ),
        Advice(
            Audience.SERVER,
            "Send a comment (`: ping`) every 15 to 30 s: stream_idle_timeout is 300 s.",
        ),
        expected="route timeout 0s for the stream",
    )
