"""Times of a unit as systemd prints them (systemd.time(7))."""

from __future__ import annotations

import math
import re

_UNITS = {
    "y": 31557600.0,
    "month": 2629800.0,
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 0.001,
    "us": 0.000001,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(y|month|w|d|h|min|ms|us|s)\b")


def seconds(text: str) -> float | None:
    """Seconds of "1min 30s", "500ms" or "infinity"; None for what is no time."""
    if text == "infinity":
        return math.inf
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
