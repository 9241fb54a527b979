"""Subjects, channels and what matches them. Pure.

Sources: NATS documentation, "Subject-Based Messaging"; Redis documentation, PSUBSCRIBE.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def nats_matches(pattern: str, subject: str) -> bool:
    """True if a NATS subscription hears the subject: ``*`` is one token, ``>`` one or more."""
    wanted, tokens = pattern.split("."), subject.split(".")
    for at, part in enumerate(wanted):
        if part == ">" and at == len(wanted) - 1:
            return len(tokens) > at
        if at >= len(tokens) or (part not in ("*", tokens[at])):
            return False
    return len(wanted) == len(tokens)


def redis_matches(pattern: str, channel: str) -> bool:
    """True if a Redis PSUBSCRIBE pattern hears the channel: h?llo, h*llo, h[ae]llo, \\-escapes."""
    return re.fullmatch(_regex(pattern), channel, re.DOTALL) is not None


def _regex(pattern: str) -> str:
    found, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            found += ".*"
        elif char == "?":
            found += "."
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            found += re.escape(pattern[at])
        elif char == "[" and (end := _closing(pattern, at)) > 0:
            inside = pattern[at + 1 : end]
            negated = inside.startswith("^")
            body = re.sub(r"([\\\]\[^&|~])", r"\\\1", inside[1:] if negated else inside)
            found += f"[{'^' if negated else ''}{body}]" if body else "(?!)"
            at = end
        else:
            found += re.escape(char)
        at += 1
    return found


def _closing(pattern: str, opening: int) -> int:
    return pattern.find("]", opening + 1)


def nearest(subject: str, candidates: Iterable[str]) -> str:
    """Of some subscriptions the one that shares the most tokens with a subject; "" of none."""
    ranked = sorted(candidates, key=lambda c: (-_shared(subject, c), c))
    return ranked[0] if ranked else ""


def difference(pattern: str, subject: str) -> str:
    """Why a NATS subscription does not hear a subject, in a few words; "" where it does."""
    if nats_matches(pattern, subject):
        return ""
    wanted, tokens = pattern.split("."), subject.split(".")
    if pattern.lower() == subject.lower():
        return "upper and lower case differ"
    if len(wanted) == 1 and len(tokens) > 1 and re.search(r"[:/]", pattern):
        return f"it separates its parts by {re.findall(r'[:/]', pattern)[0]}, NATS by a dot"
    for at, part in enumerate(wanted):
        if part == ">":
            return f"> wants one part more after {'.'.join(wanted[:at])}"
        if at >= len(tokens):
            return f"it has {len(wanted)} parts, the subject has {len(tokens)}"
        if part not in ("*", tokens[at]):
            return f"part {at + 1} is {part}, the subject has {tokens[at]}"
    return f"* is one part; {'.'.join(tokens[len(wanted) :])} comes after it"


def _shared(subject: str, pattern: str) -> int:
    return _common(re.split(r"[.:/]", subject), re.split(r"[.:/]", pattern))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left.lower() != right.lower() and right != "*":
            break
        count += 1
    return count
