"""Every step at which a change can die, what the files are then, and who finishes it.

The tests kill at each of these steps and hold the lists to what really happens;
``docs/crash_matrix.py`` makes the published page of the same lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OLD, MIXED, NEW = "all old", "old and new", "all new"
NEXT_RUN, TIMER, BOOT = "next run", "timer", "boot"
EVERYONE = (TIMER, BOOT, NEXT_RUN)


@dataclass(frozen=True)
class Death:
    """Killed right after ``step``: what a reader of the files finds, and who can finish it."""

    step: str
    files: str
    finishers: tuple[str, ...] = EVERYONE


@dataclass(frozen=True)
class Scene:
    """Who is killed at what work, and what the files are when someone has finished it."""

    name: str
    title: str
    end: str
    deaths: Sequence[Death]

    @property
    def steps(self) -> list[str]:
        return [death.step for death in self.deaths]


def _undo(*, finishers: tuple[str, ...], first: str = NEW) -> tuple[Death, ...]:
    return (
        Death("reverting", first, finishers),
        *(Death(f"restored {number}", MIXED, finishers) for number in (4, 3, 2, 1)),
        *(Death(step, OLD, finishers) for step in ("restored 0", "files back")),
        # What the boot would start is taken away first: systemd must not remember it.
        *(
            Death(step, OLD, tuple(one for one in finishers if one != BOOT))
            for step in ("processes back", "receipt")
        ),
    )


CHANGING = Scene(
    "activate",
    "The module, while it changes",
    OLD,
    (
        Death("snapshot", OLD, (NEXT_RUN,)),
        *(Death(step, OLD) for step in ("timer", "armed", "swapping", "directory made")),
        *(Death(f"aside {number}", OLD) for number in (0, 1, 2, 4)),
        *(Death(f"swapped {number}", MIXED) for number in range(4)),
        Death("swapped 4", NEW),
        Death("activated", NEW),
    ),
)
CONFIRMING = Scene(
    "commit",
    "The module, while it confirms a change",
    NEW,
    (
        Death("confirmed", NEW),
        *(Death(step, NEW, (NEXT_RUN,)) for step in ("disarmed", "receipt")),
    ),
)
REVERTING = Scene(
    "revert", "The module, while it undoes an open change", OLD, _undo(finishers=EVERYONE)
)
ROLLING_BACK = Scene(
    "rollback",
    "The module, while it undoes a confirmed change",
    OLD,
    (Death("armed again", NEW), *_undo(finishers=EVERYONE)),
)
BY_TIMER = Scene("timer", "The timer, while it undoes", OLD, _undo(finishers=EVERYONE))
BY_BOOT = Scene("boot", "The boot, while it undoes", OLD, _undo(finishers=(BOOT, NEXT_RUN)))
SCENES = (CHANGING, CONFIRMING, REVERTING, ROLLING_BACK, BY_TIMER, BY_BOOT)

# On a host with processes: from when the files are all new until the change is open.
LIVE = ("daemon-reload", "started", "enabled", "reloaded", "activated")
LIVE_DEADLY = ("armed", "swapped 1", *LIVE)
LIVE_DEADLY_FOR_UNDO = ("restored 1", "files back", "processes back")
