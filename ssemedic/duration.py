"""Seconds in words, and back."""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """Seconds from "500ms", "10s", "2m", "1h" or a bare number of seconds; raises ValueError."""
    found = _WRITTEN.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration, must look like 500ms, 10s or 2m")
    return float(found.group(1)) * _UNITS[found.group(2) or "s"]


def spell(seconds: float) -> str:
    """A duration a person reads at a glance: "0.4 s", "12 s", "5 min", "3 h", "2 d"."""
    size = abs(seconds)
    if size < 10:
        return f"{seconds:.1f} s"
    if size < 120:
        return f"{seconds:.0f} s"
    if size < 7200:
        return f"{seconds / 60:.0f} min"
    if size < 172800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"
