"""One line: which signature fits it, if any."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .signature import Signature
from .table import HINTS, candidates

#: Bytes of a line that are looked at: what went wrong stands near its beginning.
LINE = 8192
#: What journalctl and syslog write before a service's own words.
_PREFIX = re.compile(
    rb"(?:\d{10}\.\d{6} |[A-Z][a-z]{2} [ \d]\d [\d:]{8} |\d{4}-\d\d-\d\dT\S{8,30} )"
    rb"\S{1,255} [^\s:\[]{1,128}(?:\[\d+\])?: "
)
#: The first word of a line that is a level, as loggers of all kinds write it.
_LEVEL = re.compile(
    rb"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|FATAL|ALERT|EMERG|CRIT|ERR)\b"
    rb"|(?:level|severity)[\"']?[=:] ?([1-6]0)\b"
    rb"|(?:level[\"']?[=:] ?[\"']?|severity[\"']?[=:] ?[\"']?|^\W?|\[|[\dZ] )"
    rb"(trace|debug|info|notice|warn|warning|error|critical|fatal|crit|err|alert|emerg|fail)"
    rb"\b(?![-/.]\w)",
)
_INFORMATIONAL = frozenset((b"TRACE", b"DEBUG", b"INFO", b"NOTICE", b"10", b"20", b"30"))
_HEAD = 160  # bytes in which the level stands
#: A sentence that tells of nothing: "no authentication failures", "0 errors", "without timeout".
_NOTHING = re.compile(
    rb"(?i)(?<!worker )\b(?:no|0|zero|without(?: any)?|never) (?:\w+ ){0,3}"
    rb"(?:errors?|failures?|exceptions?|timeouts?|panics?|failed|refused|expired tokens?)\b"
)


def hinted(line: bytes) -> bool:
    """True if a line may be in a class at all."""
    return any(hint.search(line) for hint in HINTS)


def classify(line: bytes) -> Signature | None:
    """The first signature that fits one line (no line end), or None."""
    text = message(line[:LINE])
    low = level(text) in _INFORMATIONAL
    for signature in candidates(text):
        if (signature.info or not low) and signature.found.search(text):
            return None if _NOTHING.search(text[: _HEAD * 2]) else signature
    return None


def message(line: bytes) -> bytes:
    """The service's own words, without what the journal or syslog put before them."""
    prefix = _PREFIX.match(line)
    return line[prefix.end() :] if prefix else line


def level(text: bytes) -> bytes:
    """The level that a line gives itself, in capitals; empty where it gives none."""
    found = _LEVEL.search(text[:_HEAD])
    return (found.group(1) or found.group(2) or found.group(3)).upper() if found else b""


def refusal(texts: Iterable[str]) -> tuple[Signature, str] | None:
    """The last of these lines that says why a token was refused; the most telling one."""
    best: tuple[Signature, str] | None = None
    for text in texts:
        found = classify(text.encode("utf-8", "replace"))
        if found is None or found.kind != "auth":
            continue
        if best is None or found.reason != "other" or best[0].reason == "other":
            best = (found, text)
    return best
