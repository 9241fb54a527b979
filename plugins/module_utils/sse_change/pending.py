"""What earlier changes left on this host: one that is not finished, one that the host undid alone.

Read only, and small: the collection carries it to the host each time.
"""

from __future__ import annotations

import os
import time
from typing import Any

from . import journal


def pending(state: str = journal.STATE) -> list[dict[str, Any]]:
    """What a run must be told of, the oldest first; raises OSError where it cannot be read.

    ``seconds_left`` is how long the host still waits for the confirmation of an open change.
    """
    found = []
    for where in journal.transactions(state):
        one = journal.load(where)
        receipt = journal.read_receipt(where) or {}
        if one is None:
            continue  # it died before it changed anything
        if one.phase in journal.ENDED:
            alone = receipt.get("by") in journal.ALONE
            if not alone or os.path.exists(os.path.join(where, journal.TOLD)):
                continue
        found.append(
            {
                "id": one.id,
                "phase": one.phase,
                "by": str(receipt.get("by") or ""),
                "at": str(receipt.get("at") or ""),
                "sentence": str(receipt.get("sentence") or ""),
                "seconds_left": _left(one),
            }
        )
    return found


def _left(one: journal.Journal) -> float | None:
    if one.phase in (*journal.ENDED, journal.UNDO_FAILED):
        return None
    # After a restart of the host the clock begins anew; nobody waits longer than the window.
    left = float(one.guard.get("until") or 0.0) - time.monotonic()
    return round(min(max(0.0, left), one.window), 1)
