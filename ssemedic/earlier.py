"""What earlier changes of ours left on a host, in sentences: the next run finds and tells it."""

from __future__ import annotations

from ssemedic.evidence import EarlierChange, Evidence


def earlier(evidence: Evidence) -> tuple[str, ...]:
    """One sentence for each change that is open, or ended while nobody looked. Host text."""
    return tuple(_sentence(one, evidence.host) for one in evidence.changes or ())


def _sentence(one: EarlierChange, host: str) -> str:
    if one.phase == "undo_failed":
        return (
            f"the undo of change {one.id} failed at {one.at}: {one.sentence}; the next repair "
            f"tries again, or `ssemedic recover --host {host}`"
        )
    if one.phase in ("reverted", "committed"):
        return f"the host undid change {one.id} by itself at {one.at}: {one.sentence}"
    if one.seconds_left:
        return (
            f"change {one.id} is open: another run is proving it, or was cut off; the host undoes "
            f"it in {one.seconds_left:.0f} s unless it is confirmed"
        )
    return (
        f"change {one.id} was begun and never finished; the next repair puts it back first, or "
        f"`ssemedic recover --host {host}`"
    )
