"""Seconds in words."""

from __future__ import annotations


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
