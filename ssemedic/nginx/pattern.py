"""nginx's regular expressions (PCRE, on bytes) by way of Python's."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from .machine import Machine, TooHardError, longest
from .pcre import NotationError, translated

__all__ = ["Pattern", "TooHardError", "compiled", "decode", "encode", "search"]

#: Steps of backtracking that are let pass; beyond them the slower, bounded matcher is used.
_CHEAP = 2e6


@dataclass(frozen=True)
class Pattern:
    """A pattern ready to search. ``numbers`` are the groups of `ready` that are $1, $2, ...;
    longer texts than ``longest`` are left to the bounded matcher."""

    ready: re.Pattern[bytes]
    numbers: tuple[int, ...]
    longest: int


@functools.lru_cache(maxsize=65536)
def compiled(pattern: str, ignore_case: bool) -> Pattern | None:
    """The pattern ready to search, or None where Python cannot express it."""
    try:
        text, numbers = translated(decode_latin(pattern))
        raw = text.encode("latin-1")
        flags = re.IGNORECASE if ignore_case else 0
        return Pattern(re.compile(raw, flags), numbers, longest(raw, flags, _CHEAP))
    except (NotationError, re.error, OverflowError, RecursionError, UnicodeEncodeError):
        return None


def search(pattern: Pattern, subject: str) -> tuple[dict[str, str], bool]:
    """Captures ("0" the whole match, "1", "2", ... and names) and whether it matches.

    Raises `TooHardError` where an answer would take too long.
    """
    raw = encode(subject)
    spans = _spans(pattern, raw)
    if spans is None:
        return {}, False
    captures = {"0": decode(raw[slice(*spans[0])])}
    for number, group in enumerate(pattern.numbers, 1):
        captures[str(number)] = decode(raw[slice(*spans[group])])
    for name, group in pattern.ready.groupindex.items():
        if not name.startswith("_a"):
            captures[name] = decode(raw[slice(*spans[group])])
    return captures, True


def _spans(pattern: Pattern, raw: bytes) -> list[tuple[int, int]] | None:
    """Where each group matched, (0, 0) for one that did not; None without a match."""
    ready = pattern.ready
    if len(raw) <= pattern.longest:
        found = ready.search(raw)
        if found is None:
            return None
        spans = [found.span(group) for group in range(ready.groups + 1)]
    else:
        ends = _machine(ready).search(raw)
        if ends is None:
            return None
        spans = [(ends[at], ends[at + 1]) for at in range(0, len(ends), 2)]
    return [(start, end) if start >= 0 else (0, 0) for start, end in spans]


@functools.lru_cache(maxsize=256)
def _machine(ready: re.Pattern[bytes]) -> Machine:
    return Machine(ready.pattern, ready.flags & re.IGNORECASE)


def decode_latin(text: str) -> str:
    """The bytes of a pattern, one character each."""
    return encode(text).decode("latin-1")


def encode(text: str) -> bytes:
    """The bytes nginx sees."""
    return text.encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> str:
    """Text of bytes of any encoding; what is not UTF-8 survives."""
    return raw.decode("utf-8", "surrogateescape")
