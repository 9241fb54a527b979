"""Waivers: a cause that the inventory accepts, with a reason and an end.

An accepted cause is found and shown as ever, and no repair touches it. The verdict is never
changed by it: a broken stream stays broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_KEYS = {"cause", "reason", "until"}


class AcceptedError(ValueError):
    """A waiver of the inventory cannot be used; the message is one sentence."""


@dataclass(frozen=True)
class Accepted:
    """One accepted cause. ``until`` is the last day (UTC, as 2026-12-31) on which it holds."""

    cause: str
    reason: str
    until: str

    def holds(self, at: float) -> bool:
        """True if it is in force at ``at`` (epoch seconds)."""
        end = datetime.combine(date.fromisoformat(self.until), datetime.min.time(), UTC)
        return at < (end + timedelta(days=1)).timestamp()


def accepted_of(value: object) -> tuple[Accepted, ...]:
    """Waivers from inventory data or JSON. Raises `AcceptedError`."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise AcceptedError("accepted: must be a list of {cause, reason, until}")
    found = tuple(_one(number, item) for number, item in enumerate(value))
    twice = {one.cause for one in found if sum(o.cause == one.cause for o in found) > 1}
    if twice:
        raise AcceptedError(f"accepted: {sorted(twice)[0]} is there twice, must be once")
    return found


def in_force(accepted: Sequence[Accepted], cause: str, at: float) -> Accepted | None:
    """The waiver of a cause that holds at ``at``; None where there is none."""
    return next((one for one in accepted if one.cause == cause and one.holds(at)), None)


def over(accepted: Sequence[Accepted], causes: Sequence[str], at: float) -> list[str]:
    """A sentence for each cause that was found and whose waiver has ended."""
    return [
        f"{one.cause}: was accepted until {one.until} ({one.reason}); that is over, so it counts "
        "again"
        for one in accepted
        if one.cause in causes and not one.holds(at)
    ]


def _one(number: int, item: object) -> Accepted:
    from ssemedic.rules import all_rules  # which import what a waiver is part of

    name = f"accepted[{number}]"
    if not isinstance(item, Mapping) or set(item) != _KEYS:
        raise AcceptedError(f"{name}: must be an object with cause, reason and until")
    cause, reason, until = (str(item[key] or "").strip() for key in ("cause", "reason", "until"))
    cause = cause.replace("-", "_")
    if cause not in {rule.id for rule in all_rules()}:
        raise AcceptedError(
            f"{name}.cause: is {cause!r:.80}, must be a rule; `ssemedic rules` lists them"
        )
    if not reason:
        raise AcceptedError(f"{name}.reason: is empty, must say why {cause} is accepted")
    if not _DATE.fullmatch(until) or not _is_a_day(until):
        raise AcceptedError(f"{name}.until: is {until!r:.80}, must be a day such as 2026-12-31")
    return Accepted(cause, reason, until)


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
