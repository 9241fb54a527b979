"""Who is calling: JSON Web Tokens, verified against a fixed list of algorithms."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TOKEN = 8192
REQUIRED_CLAIMS = ("exp", "iss", "aud")
# A workspace becomes one token of a NATS subject: no dot, no wildcard, no space.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class TokenRules:
    """What a token must satisfy. `keys` maps each accepted algorithm to its key."""

    keys: Mapping[str, str]
    issuer: str
    audience: str
    leeway: float
    workspace_claim: str


@dataclass(frozen=True)
class Caller:
    """Whom a verified token names."""

    subject: str
    workspace: str


class TokenError(Exception):
    """The token is not good enough: HTTP status, a stable reason, a sentence for people.

    The sentence never holds the token; claim values appear in it only after the signature
    was found good.
    """

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(f"token refused: {reason}: {detail}")
        self.status = status
        self.reason = reason
        self.detail = detail


def verify(token: str | None, rules: TokenRules) -> Caller:
    """Verify `token` and return its caller. Raises TokenError (401, or 403 for the workspace)."""
    if not token:
        raise TokenError(401, "missing_token", "the request carries no token")
    if len(token) > LONGEST_TOKEN:
        raise TokenError(401, "malformed", f"the token is longer than {LONGEST_TOKEN} characters")
    claims = _verified_claims(token, rules)
    workspace = claims.get(rules.workspace_claim)
    if not isinstance(workspace, str) or not workspace:
        raise TokenError(403, "workspace", f"the claim {rules.workspace_claim!r} is missing")
    if not NAME.fullmatch(workspace):
        raise TokenError(
            403, "workspace", f"the claim {rules.workspace_claim!r} is not a workspace name"
        )
    return Caller(subject=str(claims.get("sub", "")), workspace=workspace)


def _verified_claims(token: str, rules: TokenRules) -> dict[str, Any]:
    algorithm = _algorithm(token, rules)
    try:
        return jwt.decode(
            token,
            rules.keys[algorithm],
            # One algorithm, chosen with its key: an HS256 signature made with the
            # public EdDSA key as its secret finds no taker.
            algorithms=[algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=rules.leeway,
            options={"require": list(REQUIRED_CLAIMS)},
        )
    except jwt.ExpiredSignatureError:
        raise TokenError(401, "expired", _distance(token, "exp")) from None
    except jwt.ImmatureSignatureError:
        raise TokenError(401, "not_yet_valid", _distance(token, "nbf", "iat")) from None
    except jwt.MissingRequiredClaimError as error:
        raise TokenError(401, "missing_claim", f"the claim {error.claim!r} is missing") from None
    except jwt.InvalidAudienceError:
        raise TokenError(401, "audience", f"aud must be {rules.audience!r}") from None
    except jwt.InvalidIssuerError:
        raise TokenError(401, "issuer", f"iss must be {rules.issuer!r}") from None
    except jwt.InvalidSignatureError:
        raise TokenError(
            401, "signature", f"the {algorithm} signature does not fit the key"
        ) from None
    except jwt.InvalidTokenError as error:
        raise TokenError(401, "malformed", type(error).__name__) from None


def _algorithm(token: str, rules: TokenRules) -> str:
    try:
        algorithm = jwt.get_unverified_header(token).get("alg")
    except jwt.InvalidTokenError:
        raise TokenError(401, "malformed", "the token is not a JSON Web Token") from None
    if algorithm not in rules.keys:
        accepted = ", ".join(rules.keys)
        raise TokenError(401, "algorithm", f"alg is {algorithm!r:.40}, must be of {accepted}")
    return str(algorithm)


def _distance(token: str, *claims: str) -> str:
    """How far the offending time claim is from this host's clock, for whoever reads the log."""
    # The signature was verified before any time claim was looked at.
    values = jwt.decode(token, options={"verify_signature": False})
    now = time.time()
    found = {name: float(values[name]) - now for name in claims if name in values}
    name, seconds = max(found.items(), key=lambda item: abs(item[1]))
    side = "in the future" if seconds > 0 else "in the past"
    return f"{name} is {abs(seconds):.0f} s {side} by the clock of this host"
