"""Cause: edge_tunnel_interstitial."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.edge import HOP, Product, Shown, edge, finding
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.EDGE,
    severity=Severity.BROKEN,
    explains=(Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.WRONG_STATUS),
    needs=("streams",),
)
def edge_tunnel_interstitial(case: Case) -> Iterator[Finding]:
    """The tunnel answers with a page of its own in place of the stream.

    ngrok and localtunnel show browsers a warning page first, and a tunnel whose agent is gone
    answers with an error page. EventSource wants text/event-stream and refuses the page for good
    (readyState 2).

    Send the header that skips the page (fetch can, EventSource cannot), use a paid or named
    tunnel, or start the agent.
    """
    found = edge(case, Product.NGROK, Product.LOCALTUNNEL)
    symptom = case.symptom(HOP, Kind.HTML_INSTEAD, Kind.WRONG_TYPE, Kind.WRONG_STATUS)
    if found is None or symptom is None:
        return
    shown = Shown(found, symptom)
    yield finding(
        case,
        shown,
        Advice(
            Audience.FRONTEND,
            "ngrok: the warning page goes away with a request header "
            "`ngrok-skip-browser-warning: 1` (read the stream with fetch) or a paid "
            "account; localtunnel: `bypass-tunnel-reminder: 1`. An error page names its "
            "code: the agent must run, and its port must be the app's.",
        ),
        expected="the tunnel passes the request on",
    )
