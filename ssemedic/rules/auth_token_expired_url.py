"""Cause: auth_token_expired_url."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.asked_before import Again, again_and_again, asked_before, refused_as_expired
from ssemedic.clues.refused import refused
from ssemedic.duration import spell
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_REFUSALS = (401, 403)
_ADVICE = (
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
)


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

    Libraries that reconnect whatever happens ask on and on: where the logs show clients that
    are refused so at the pace of a reconnect, this is told though our own token is good.
    """
    clients = _clients(case)
    found = _ours(case, clients)
    if found is not None:
        yield found
    elif clients and not any(s.kind is Kind.WRONG_STATUS for s in case.symptoms):
        yield _theirs(clients)


def _ours(case: Case, clients: tuple[Again, ...]) -> Finding | None:
    """Our own token is the proof."""
    token, clock = case.token, case.evidence.clock
    if token is None or clock is None:
        return None
    expired = token.expired_for(clock.now - (clock.ahead or 0.0))
    app = case.topology.stream("app")
    if expired is None or (app is not None and app.is_event_stream):
        return None  # by its leeway, or because it does not look, the service may accept it
    symptom = case.symptom("app", Kind.WRONG_STATUS) or case.symptom("nginx", Kind.WRONG_STATUS)
    why = refused(case)
    said = why[1] if why else None
    evidence = (
        symptom.text if symptom else "",
        f"exp passed {spell(expired)} ago",
        said.evidence if said and said.reason == "expired" else "",
        _told(clients),
    )
    return Finding(
        hop=symptom.hop if symptom else "app",
        where="access token",
        observed=f"expired {spell(expired)} ago",
        expected="a token that outlives the connection attempt",
        evidence=tuple(filter(None, evidence)),
        # Where the service names another reason, the token would be refused though it were fresh.
        certainty=3 if said is None or said.reason in ("expired", "other") else 1,
        advice=_ADVICE,
    )


def _theirs(clients: tuple[Again, ...]) -> Finding:
    return Finding(
        hop="public",
        where="access token of the clients",
        observed=_told(clients),
        expected="clients that fetch a fresh token before they connect again",
        evidence=(_told(clients), "what we asked with is accepted"),
        certainty=3,
        severity=Severity.DEGRADED,
        advice=_ADVICE,
    )


def _clients(case: Case) -> tuple[Again, ...]:
    """Clients that were refused again and again, with tokens known to have expired."""
    by_log = [
        (one.at, one.client)
        for one in asked_before(case)
        if one.status in _REFUSALS and one.expires is not None and one.expires < one.at
    ]
    return again_and_again(by_log) or again_and_again(refused_as_expired(case))


def _told(clients: tuple[Again, ...]) -> str:
    if not clients:
        return ""
    first = clients[0]
    who = "a client connects" if len(clients) == 1 else f"{len(clients)} clients connect"
    return (
        f"{who} again and again with a token that has expired: {first.client} "
        f"{first.times} times in the log, every {spell(first.every)}"
    )
