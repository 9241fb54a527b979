"""Cause: auth_missing_claim."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.refused import Refusal, refused
from ssemedic.clues.token_checks import checks_of
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind
from ssemedic.token import Token

_OBSERVED = {
    "audience": "the token is made out for another audience{audience}",
    "issuer": "the token comes from an issuer that the service does not know{issuer}",
    "claim": "the token lacks a claim that the service asks for",
    "permission": "the token gives no right to this workspace or stream",
}
_EXPECTED = {
    "audience": "a token whose aud names this service",
    "issuer": "a token from the issuer that the service trusts",
    "claim": "a token with every claim that the service asks for",
    "permission": "a token that names the workspace and gives the right to its stream",
}


@rule(
    layer=Layer.AUTH,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403)),),
    needs=("streams",),
)
def auth_missing_claim(case: Case) -> Iterator[Finding]:
    """The token is genuine, but does not say what the service asks for.

    Its audience or issuer is another one, or the claim is missing that names the workspace or
    gives the right to read its stream. The service answers 401 or 403 at once, which is final
    for EventSource (readyState 2), while the same user may work everywhere else. Services that
    do not check it loudly open the stream and never send an event.

    Nothing is changed on the host: who may read what is for the owners to say.
    """
    found = refused(case)
    if found is None or found[1].reason not in _OBSERVED:
        return
    symptom, refusal = found
    if symptom.measured.get("status") == 500 or (case.token is None and not _named(refusal)):
        return
    unit = case.topology.unit
    yield Finding(
        hop="app",
        where="access token",
        observed=_OBSERVED[refusal.reason].format(**_claimed(case.token)),
        expected=_EXPECTED[refusal.reason],
        evidence=tuple(filter(None, (symptom.text, refusal.evidence, _claims(case.token)))),
        certainty=3,
        advice=tuple(_advice(case, refusal, unit.name if unit else "the service")),
    )


def _named(refusal: Refusal) -> bool:
    """Without a token, only a session can lack a right."""
    return refusal.reason == "permission"


def _claimed(token: Token | None) -> dict[str, str]:
    audience = ", ".join(token.audience) if token else ""
    issuer = (token.issuer or "") if token else ""
    return {
        "audience": f": {audience}" if audience else "",
        "issuer": f": {issuer}" if issuer else "",
    }


def _claims(token: Token | None) -> str:
    if token is None or not token.claims:
        return ""
    return f"the token has the claims {', '.join(token.claims)}"


def _advice(case: Case, refusal: Refusal, service: str) -> Iterator[Advice]:
    checks = checks_of(case, refusal)
    where = f" In {checks.library} these are set by {checks.claims}." if checks else ""
    if refusal.reason == "permission":
        yield Advice(
            Audience.SERVER,
            "Let the issuer put the user's workspace into the token, or give the user the right "
            f"that {service} asks for. Keep answering 403 before the stream begins, and say "
            "which right is missing." + where,
        )
    else:
        yield Advice(
            Audience.SERVER,
            f"Let the issuer make out tokens for {service} (aud, iss and the claims it asks for), "
            "or change what it asks for; do not turn the check off." + where,
        )
    yield Advice(
        Audience.FRONTEND,
        "Ask for the token that is meant for the stream: a token of another service, of another "
        "stage or from before the user joined the workspace is refused whatever its lifetime.",
    )
