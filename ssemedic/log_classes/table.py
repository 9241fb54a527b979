"""All signatures in the order in which they are tried, and the quick look that comes first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from . import frameworks, proxies, tokens
from .signature import Signature

#: A proxy's own lines begin with its date; a library's wording comes before a framework's, and
#: the plain ones come last.
SIGNATURES = (*proxies.SIGNATURES, *tokens.SIGNATURES, *frameworks.SIGNATURES)

#: A line that none of these fits is in no class. Each begins with one letter that is rare in
#: logs, which is as fast to look for as a fixed string: the look goes on from there.
HINTS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"rror",
        rb"x(?:ce|pired|ecuting <|ecution t|pected|hausted| limit)",
        rb"k(?:ed (?:for|at|before)|ill(?:ed)? |er (?:conn|unav|may)|ey is )",
        rb"m(?:ed out|eout|any |ory all|-kill)",
        rb"v(?:(?<=nv)alid|(?<=iv)e upstr|er (?:reached|avail))",
        rb"f(?:used|ailed|ull|orbidden|ied)",
        rb"F(?:ailed|D limit|ull|A(?:IL|TAL))",
        rb"E(?:RROR|MFILE)",
        rb"g(?:(?<=ig)nature|(?<=ng) (?:key|method))",
        rb"O(?:RS|OM k|RKER TIM)",
        rb"K(?:ill|ILL|SNoMatch)",
        rb"Y(?:N flood)",
        rb"p(?:anic|ids contr|rematurely)",
        rb"z(?<=riz)(?:ed|ation )",
        rb"- - s[HD]",
        rb"raceback \(most",
        rb" not ",
        rb"beat has been run",
        rb"w [cC]onsumer",
        rb"IDX10",
    )
)

#: Parts that several needles share: where one is not in a line, none of them need be looked for.
_STEMS = (
    "reason=", "xpired", "ignature", "udience", "ssuer", "laim", "lgorithm", "IDX10", "JW", "jwt",
    "nvalid", "ool", "imeout", "onnection", "edis", "emory", "upstream", "AH0", "CORS", "xception",
    "rror", "oo many", "auth", "ermission", "roken", " 504", " limit", "sess", "roker", "ERR_",
)  # fmt: skip


def candidates(line: bytes) -> Sequence[Signature]:
    """The signatures whose needle is in the line, in the order in which they are tried."""
    found = [entry for stem, entries in _GROUPS if stem in line for entry in entries]
    return [s for _, s in sorted(found, key=_first) if s.bare in line]


def _first(entry: tuple[int, Signature]) -> int:
    return entry[0]


def _grouped() -> tuple[tuple[bytes, list[tuple[int, Signature]]], ...]:
    groups: dict[str, list[tuple[int, Signature]]] = {}
    for index, signature in enumerate(SIGNATURES):
        stem = next((stem for stem in _STEMS if stem in signature.needle), signature.needle)
        groups.setdefault(stem, []).append((index, signature))
    return tuple((stem.encode("ascii"), entries) for stem, entries in groups.items())


_GROUPS = _grouped()
