"""Why the service refused our token: what its answer says, and what it logged at that moment."""

# ruff: noqa: E501 - a table: one reason, few lines

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ssemedic.case import Case
from ssemedic.evidence import LogLine
from ssemedic.log_classes import Signature, classify
from ssemedic.stream.record import Stream
from ssemedic.symptoms import Kind, Symptom

_BEFORE, _AFTER = 1.0, 2.0  # seconds around our request in which its lines are written
_BODY = 4096
_MARKUP = re.compile(r"<[^>]{0,500}>")
#: What answers say, the most telling first. RFC 6750, 3 gives error_description; the sentences
#: are those of ASP.NET's JwtBearer, Spring Security, Flask-JWT-Extended, DRF and jsonwebtoken.
_ANSWERS = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        ("other", r"invalid or expired|expired or invalid|invalid, expired"),
        ("key", r"signature key was not found|no matching key|signing key that matches|"
                r"key is (?:of invalid type|invalid)|\bunknown kid\b"),
        ("algorithm", r"invalid algorithm|InvalidAlgorithm|algorithm (?:is )?not (?:allowed|supp)|"
                      r"\balg\b.{0,40}(?:not allowed|must be|unsupported)|signing method|"
                      r"\"(?:reason|code|error)\": ?\"algorithm\""),
        ("signature", r"invalid (?:jwt |token )?signature|InvalidSignature|signature (?:verification "
                      r"failed|is invalid|does not|mismatch|validation failed)|"
                      r"\"(?:reason|code|error)\": ?\"signature\""),
        ("early", r"not_?yet_?valid|not (?:yet )?valid (?:yet|before)|not valid before|jwt not active|"
                  r"Jwt used before|used before issued|issued in the future|ImmatureSignature"),
        ("expired", r"token_?expired|jwt expired|(?:token|signature|jwt|session) (?:has |is )?expired|"
                    r"expired at|\"(?:reason|code|error)\": ?\"expired\""),
        ("audience", r"\baud(?:ience)?\b.{0,60}(?:invalid|not valid|must be|mismatch|doesn't match|"
                     r"failed|unexpected)|(?:invalid|unexpected|wrong) \"?aud"),
        ("issuer", r"\biss(?:uer)?\b.{0,60}(?:invalid|not valid|must be|mismatch|doesn't match|"
                   r"failed|unexpected)|(?:invalid|unexpected|wrong) \"?iss"),
        ("permission", r"insufficient[_ ](?:scope|permission)|not a member of|no access to|"
                       r"\b(?:workspace|tenant)\b.{0,60}(?:missing|required|denied|not allowed|no )|"
                       r"(?:missing|no|required|denied|wrong).{0,40}\b(?:workspace|tenant|scope|role)\b"),
        ("claim", r"missing_claim|missing (?:the )?(?:required )?\"?'?\w{1,40}\"?'? claim|"
                  r"claim.{0,40}(?:is missing|required)"),
        ("cookie", r"missing_cookie|(?:missing|no|invalid) (?:\w{1,20} )?cookie|"
                   r"(?:no|missing|invalid) session\b|cookie.{0,40}(?:missing|required)|"
                   r"session (?:not found|required)"),
        ("missing", r"missing_token|no (?:access |auth\w* )?token|missing (?:bearer|authorization|token)|"
                    r"credentials were not provided|jwt must be provided|not authenticated"),
        ("malformed", r"jwt malformed|malformed|not enough segments"),
    )
)  # fmt: skip
#: What may be said of other clients, or of our own tests without a token, in the same second.
_VAGUE = ("other", "missing", "malformed")


@dataclass(frozen=True)
class Refusal:
    """Why, in one word (see `ssemedic.log_classes`), and what says so.

    ``evidence`` is a sentence that quotes it; ``library`` is whose wording it is, "" where the
    answer alone tells.
    """

    reason: str
    said: str
    evidence: str
    library: str = ""


def refused(case: Case) -> tuple[Symptom, Refusal] | None:
    """The refusal that our request with the token met at the app, where something says why."""
    symptom = case.symptom("app", Kind.WRONG_STATUS)
    stream = case.topology.stream("app")
    if symptom is None or stream is None or symptom.measured.get("status") not in (401, 403, 500):
        return None
    found = _answered(stream)
    logged = _logged(case, stream, found.reason if found else "")
    if found is None or found.reason in _VAGUE:
        found = logged or found
    elif logged is not None and logged.reason == found.reason:
        both = f"{found.evidence}; {logged.evidence}"
        found = Refusal(found.reason, logged.said, both, logged.library)
    return (symptom, found) if found is not None else None


def _answered(stream: Stream) -> Refusal | None:
    """What the answer itself says: WWW-Authenticate, then the start of the body."""
    asks = "; ".join(stream.header_values("www-authenticate"))
    body = _text(stream.body[:_BODY])
    for text in filter(None, (asks, body)):
        for reason, pattern in _ANSWERS:
            if pattern.search(text):
                return Refusal(reason, text[:300], f"the app's answer: {text[:300]}")
    return None


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        return " ".join(_MARKUP.sub(" ", text).split())
    return json.dumps(said, ensure_ascii=False) if isinstance(said, (dict, list)) else text


def _logged(case: Case, stream: Stream, answered: str) -> Refusal | None:
    """What the service logged while it refused us; None where its lines tell several reasons."""
    found: dict[str, tuple[Signature, LogLine]] = {}
    for line, signature in _near(case, stream):
        if _could_be_ours(case, stream, signature.reason):
            found[signature.reason] = (signature, line)
    telling = {reason: x for reason, x in found.items() if reason not in _VAGUE} or found
    if answered in telling:
        telling = {answered: telling[answered]}
    if len(telling) != 1:
        return None
    ((reason, (signature, line)),) = telling.items()
    where = case.topology.unit.name if case.topology.unit else "the service"
    text = line.text.strip()[:400]
    return Refusal(reason, text, f"log of {where}: {text}", signature.framework)


def _near(case: Case, stream: Stream) -> Iterator[tuple[LogLine, Signature]]:
    end = stream.started + (stream.phases.headers or 0.0) + _AFTER
    for line in case.unit_log():
        if line.at is not None and stream.started - _BEFORE <= line.at <= end:
            signature = classify(line.text.encode("utf-8", "replace"))
            if signature is not None and signature.kind == "auth":
                yield line, signature


def _could_be_ours(case: Case, stream: Stream, reason: str) -> bool:
    """False for what another client was told in the same second."""
    token = case.token
    if token is None:
        return reason in ("missing", "cookie", "permission", "other")
    if reason == "missing":
        return False
    if not token.is_jwt:
        return True
    date = _date(stream)
    now = date if date is not None else stream.started
    if reason == "expired" and token.expires is None:
        return False
    if reason == "expired" and date is not None:
        return token.expired_for(now + 1.0) is not None
    if reason == "early" and date is not None:
        return token.early_for(now - 1.0) is not None
    return True


def _date(stream: Stream) -> float | None:
    """The app's clock by its Date header (RFC 9110, 6.6.1), epoch seconds."""
    value = stream.header("date")
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None
