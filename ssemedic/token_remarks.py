"""What is to be said about a token: times, algorithm, names, length. Pure; nothing secret in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

from ssemedic.duration import spell
from ssemedic.token import Token, judge

#: Clocks closer than this many seconds agree; a Date header has whole seconds.
CLOCK_TOLERANCE = 2.0
#: A token that ends this soon does not outlive the probe's own conversation (seconds).
SOON = 60.0
#: nginx's client_header_buffer_size and the size of one of its large_client_header_buffers.
SMALL_BUFFER = 1024
LARGE_BUFFER = 8 * 1024

#: Signature algorithms that services are built on (RFC 7518, 3.1; RFC 8037).
KNOWN_ALGORITHMS = frozenset(
    {f"{kind}{size}" for kind in ("HS", "RS", "PS", "ES") for size in (256, 384, 512)}
    | {"EdDSA", "ES256K"}
)
_TENANT_WORDS = ("workspace", "tenant", "team", "organization", "organisation", "org", "account")
_TENANT_SHORT = frozenset({"tid", "wid", "org", "oid", "ws"})


class Level(StrEnum):
    """How much a remark matters."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True)
class Remark:
    """One sentence about one part of a token, such as ``exp`` or ``length``."""

    part: str
    level: Level
    text: str


@dataclass(frozen=True)
class Carried:
    """How the token travels: the bytes of the line that holds it, and which line that is.

    ``clock_ahead`` is by how many seconds the server's Date header is ahead of our
    clock, None where it sent none; ``now`` is our clock in epoch seconds.
    """

    line_bytes: int
    in_url: bool
    now: float
    clock_ahead: float | None = None


def remarks(token: str, carried: Carried) -> tuple[Remark, ...]:
    """Everything there is to say about a token without its key."""
    seen = judge(token)
    if not seen.is_jwt:
        opaque = Remark(
            "form",
            Level.NOTE,
            f"an opaque token of {seen.length} characters: only the service knows what it means",
        )
        return (opaque, *_length(carried), *_clock(carried))
    header = jwt.get_unverified_header(token)
    form = Remark("form", Level.NOTE, f"a JSON web token of {seen.length} characters")
    return (
        form,
        *_times(seen, carried),
        *_clock(carried),
        *_algorithm(seen.algorithm),
        *_names(seen, header),
        *_length(carried),
    )


def _times(seen: Token, carried: Carried) -> Iterator[Remark]:
    theirs = carried.now + _skew(carried)
    yield _expiry(seen, carried.now, theirs)
    for part, moment in (("nbf", seen.not_before), ("iat", seen.issued)):
        if moment is None:
            continue
        ours, server = moment - carried.now, moment - theirs
        word = "is not valid yet" if part == "nbf" else "was issued in the future"
        if max(ours, server) <= 0:
            yield Remark(part, Level.GOOD, f"{spell(-ours)} ago")
        elif ours <= 0:
            text = f"by the server's clock it {word}: {spell(server)} to go; by ours it is fine"
            yield Remark(part, Level.BAD, text)
        elif server <= 0:
            text = f"by our clock it {word} ({spell(ours)}); by the server's it is fine"
            yield Remark(part, Level.NOTE, text)
        else:
            yield Remark(part, Level.BAD, f"it {word}: {spell(server)} to go")


def _expiry(seen: Token, ours: float, theirs: float) -> Remark:
    if seen.expires is None:
        return Remark("exp", Level.WARNING, "is missing: it never expires, and neither does a leak")
    left, left_there = seen.expires - ours, seen.expires - theirs
    if left <= 0 and left_there <= 0:
        return Remark("exp", Level.BAD, f"expired {spell(-left_there)} ago")
    if left_there <= 0:
        text = f"by the server's clock it expired {spell(-left_there)} ago; by ours it is valid"
        return Remark("exp", Level.BAD, text)
    if left <= 0:
        text = f"by our clock it expired {spell(-left)} ago; by the server's it is still valid"
        return Remark("exp", Level.WARNING, text)
    if left_there < SOON:
        text = f"ends in {spell(left_there)}: the next reconnect of a browser is refused"
        return Remark("exp", Level.WARNING, text)
    return Remark("exp", Level.GOOD, f"valid for {spell(left_there)}")


def _clock(carried: Carried) -> Iterator[Remark]:
    ahead = carried.clock_ahead
    if ahead is None:
        yield Remark("clock", Level.NOTE, "the server sends no Date header: its clock is unknown")
    elif abs(ahead) > CLOCK_TOLERANCE:
        word = "ahead of" if ahead > 0 else "behind"
        text = f"the server's Date header is {spell(abs(ahead))} {word} our clock"
        yield Remark("clock", Level.WARNING, text)


def _algorithm(name: str | None) -> Iterator[Remark]:
    if name is None:
        yield Remark("alg", Level.BAD, "is missing: no service can tell how it is signed")
    elif name.lower() == "none":
        text = "is none: it is not signed; a service that accepts it accepts anybody's"
        yield Remark("alg", Level.BAD, text)
    elif name not in KNOWN_ALGORITHMS:
        yield Remark("alg", Level.WARNING, f"is {name}, which is no registered signature algorithm")
    else:
        yield Remark("alg", Level.GOOD, name)


def _names(seen: Token, header: Mapping[str, Any]) -> Iterator[Remark]:
    kid = header.get("kid")
    if isinstance(kid, str):
        yield Remark("kid", Level.NOTE, kid)
    if seen.issuer:
        yield Remark("iss", Level.NOTE, seen.issuer)
    else:
        yield Remark("iss", Level.NOTE, "is missing")
    yield Remark("aud", Level.NOTE, ", ".join(seen.audience) or "is missing")
    tenants = [claim for claim in seen.claims if _is_tenant(claim)]
    text = f"claim {', '.join(tenants)}" if tenants else "no claim is named like one"
    yield Remark("workspace", Level.NOTE, text)


def _is_tenant(claim: str) -> bool:
    last = claim.rstrip("/").rpartition("/")[2].lower().replace("-", "_")
    return last in _TENANT_SHORT or any(
        last == word or last.startswith(f"{word}_") or last == f"{word}id" for word in _TENANT_WORDS
    )


def _length(carried: Carried) -> Iterator[Remark]:
    """Against nginx's defaults (ngx_http_core_module: client_header_buffer_size,
    large_client_header_buffers): a line that fits into no large buffer is refused."""
    line = "request line" if carried.in_url else "header line"
    size = f"the {line} that carries it is {carried.line_bytes} bytes"
    if carried.line_bytes > LARGE_BUFFER:
        answer = "414" if carried.in_url else "400"
        text = f"{size}: nginx's large_client_header_buffers (8k) refuse it with {answer}"
        yield Remark("length", Level.BAD, text)
    elif carried.line_bytes > SMALL_BUFFER:
        text = f"{size}: over nginx's client_header_buffer_size (1k), within its large buffers (8k)"
        yield Remark("length", Level.NOTE, text)
    else:
        yield Remark("length", Level.GOOD, f"{size}, within every buffer of nginx")
    if carried.in_url:
        text = "travels in the URL, which access logs keep: let it live for minutes only"
        yield Remark("place", Level.NOTE, text)


def _skew(carried: Carried) -> float:
    ahead = carried.clock_ahead
    return ahead if ahead is not None and abs(ahead) > CLOCK_TOLERANCE else 0.0
