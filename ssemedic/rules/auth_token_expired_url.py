"""Cause: auth_token_expired_url."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.duration import spell
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind


@rule(
    layer=Layer.AUTH,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403)),),
    needs=("clock", "streams"),
)
def auth_token_expired_url(case: Case) -> Iterator[Finding]:
    """The token in the URL has expired, and EventSource reconnects with the same URL.

    The first connection worked; after the token's life every reconnect is 401,
    and 401 is final for EventSource (readyState 2). The server is right to refuse.
    """
    token, clock = case.token, case.evidence.clock
    if token is None or clock is None:
        return
    now_here = clock.now - (clock.ahead or 0.0)
    expired = token.expired_for(now_here)
    if expired is None:
        return
    app = case.topology.stream("app")
    if app is not None and app.is_event_stream:
        return  # the service accepts it all the same, by its leeway or because it does not look
    symptom = case.symptom("app", Kind.WRONG_STATUS) or case.symptom("nginx", Kind.WRONG_STATUS)
    yield Finding(
        hop=symptom.hop if symptom else "app",
        where="access token",
        observed=f"expired {spell(expired)} ago",
        expected="a token that outlives the connection attempt",
        evidence=tuple(
            filter(None, (symptom.text if symptom else "", f"exp passed {spell(expired)} ago"))
        ),
        certainty=3,
        advice=(
            Advice(
                Audience.FRONTEND,
                "On error, close the EventSource, fetch a fresh token, and create a new one with "
                "it (and the last event id as a parameter, since a new EventSource does not send "
                "Last-Event-ID). Reconnecting with the old URL cannot succeed.",
            ),
            Advice(
                Audience.SERVER,
                "Offer a short-lived, single-use stream ticket so that no long-lived token "
                "stands in a URL.",
            ),
        ),
    )
