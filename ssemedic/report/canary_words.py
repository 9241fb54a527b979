"""The way of a test message in words: one row for each leg. Host text: clean it where shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssemedic.report import words

#: How many times the seconds of a leg are shown in milliseconds below this.
_SHORT = 1.0


def lines(canary: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Label and sentence of each leg: sent, published, delivered; [] where none was sent."""
    if not canary:
        return []
    sent = f"{canary['how']}: {canary['answer']}"
    if canary["answered"] is not None:
        sent += f" after {spell(canary['answered'])}"
    rows = [("sent", sent)]
    if not canary["accepted"]:
        return [("refused", f"{canary['how']}: {canary['answer']}")]
    if canary["subject"] is not None:
        took = canary["published"]
        when = f" after {spell(took)}" if took is not None else ""
        rows.append(("published", f"on {canary['subject']}{when}"))
    elif canary["watched"]:
        rows.append(("published", f"not seen at {', '.join(canary['watched'])}"))
    got = [
        f"{h['hop']} after {spell(h['seconds'])}"
        for h in canary["hops"]
        if h["seconds"] is not None
    ]
    lost = [h["hop"] for h in canary["hops"] if h["seconds"] is None]
    if got:
        rows.append(("delivered", ", ".join(got)))
    if lost:
        rows.append(("lost", f"never came at {', '.join(lost)}"))
    if canary["streams"] > 1:
        rows.append(("streams", f"{canary['reached']} of {canary['streams']} at the app got it"))
    return rows


def spell(seconds: float) -> str:
    """Milliseconds for what is quick, seconds for what a person would notice."""
    return f"{seconds * 1000:.0f} ms" if seconds < _SHORT else words.brief(seconds)
