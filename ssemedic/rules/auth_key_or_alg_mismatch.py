"""Cause: auth_key_or_alg_mismatch."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.refused import Refusal, refused
from ssemedic.clues.token_checks import checks_of, key_line
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.rules import Sign, rule
from ssemedic.symptoms import Kind

_OBSERVED = {
    "signature": "the token's signature does not fit the key that the service verifies with",
    "algorithm": "the token is signed with an algorithm that the service does not take",
    "key": "the service has no key that fits the token",
}


@rule(
    layer=Layer.AUTH,
    severity=Severity.BROKEN,
    explains=(Sign(Kind.WRONG_STATUS, (401, 403, 500)),),
    needs=("streams",),
)
def auth_key_or_alg_mismatch(case: Case) -> Iterator[Finding]:
    """The service verifies tokens with another key or algorithm than the issuer signs with.

    Every token is refused with 401 at once, fresh ones too, and for EventSource a 401 is final
    (readyState 2). The two sides were given different secrets (a newline at the end of a key file
    is enough), one of them kept the old key after a rotation, or one signs with RS256 where the
    other expects HS256. Which it is, the service says in its log or in its answer, and that is
    what this finding rests on.

    Nothing is changed on the host: which of the two keys is the right one, people know.
    """
    found = refused(case)
    if found is None or found[1].reason not in _OBSERVED or case.token is None:
        return
    symptom, refusal = found
    algorithm = case.token.algorithm or ""
    claimed = f" (the token claims alg {algorithm})" if algorithm else ""
    unit = case.topology.unit
    yield Finding(
        hop="app",
        where=unit.name if unit else "the app",
        observed=_OBSERVED[refusal.reason] + claimed,
        expected="the key and the algorithm with which the issuer signs",
        evidence=(symptom.text, refusal.evidence),
        certainty=3,
        advice=tuple(_advice(case, refusal, algorithm)),
    )


def _advice(case: Case, refusal: Refusal, algorithm: str) -> Iterator[Advice]:
    checks = checks_of(case, refusal)
    line = ""
    if checks is not None and algorithm:
        line = f" In {checks.library}: {key_line(checks, algorithm)}."
    if refusal.reason == "algorithm":
        said = f"Let issuer and service use one algorithm; the token is signed with {algorithm}."
        warning = " Never accept an algorithm only because a token names it, and never none."
        yield Advice(Audience.SERVER, said + line + warning)
        return
    if algorithm.startswith("HS"):
        text = (
            "Give the service the same secret as the issuer, byte for byte: compare the hashes "
            "(sha256sum) of the two key files, look for a newline or white space at the end and "
            "for a secret that one side decodes from base64 and the other does not."
        )
    else:
        text = (
            "Give the service the public key of the pair that signs now, or the issuer's JWKS URL, "
            "and let it fetch the set again when it meets an unknown kid."
        )
    restart = " Restart the service after a rotation where it reads its key only once."
    yield Advice(Audience.SERVER, text + line + restart)
