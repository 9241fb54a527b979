"""Every task of a diagnosis and of a repair, and what becomes of a host whose run ends right there.

The tests cut the connection, or kill Ansible, before each of these tasks and hold the list to what
really happens; ``docs/crash_matrix.py`` makes the published page of the same list.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "nothing had been changed"
TIMER = "the host undoes the change when its window is over; the next run says so"
KEPT = "the change is proven and stays"
UNDONE = "the change is undone already"
EITHER = "undone by the host, or proven and kept: whichever the host had heard"


@dataclass(frozen=True)
class Task:
    """A task, and how the host ends if the run dies right before it."""

    name: str
    end: str


@dataclass(frozen=True)
class Play:
    """The tasks of one run, in their order."""

    name: str
    title: str
    tasks: tuple[Task, ...]

    @property
    def names(self) -> list[str]:
        return [task.name for task in self.tasks]


_COLLECT = (
    "Validating arguments against arg spec 'main' - Collect what is needed to judge an "
    "event-stream endpoint",
    "Collect evidence",
)
_RENDER = (
    "Render the change",
    "Begin with no change",
    "Render our nginx settings",
    "Validating arguments against arg spec 'render' - Render the change only",
    "Render for the mode",
    "Render our file beside the admin's",
    "Say that nginx is to be reloaded",
    "Say what counts only after a restart",
    "Add them to the change",
    "Render the log format without tokens",
    "Add it to the change, before the line that uses it",
    "Have nginx reloaded though no file of it changes",
    "Add what each unit needs",
)
CHANGE, KEEP, UNDO = (
    "Change the host, with an undo armed on it",
    "Keep the change",
    "Undo the change, which is not proven",
)
_PROVE = (
    "Record the streams again, on new connections",
    *_COLLECT,
    "Compare with what was seen before",
    "Send a message and see it delivered",
    KEEP,
)


def _tasks(end: str, *names: str) -> tuple[Task, ...]:
    return tuple(Task(name, end) for name in names)


_BEFORE = _tasks(
    NOTHING,
    "Go on only if no host before this one was lost while it was changed",
    "Load the report that was approved",
    "Apply the plan and prove it",
    *_RENDER,
    CHANGE,
)
DIAGNOSING = Play(
    "diagnose",
    "A diagnosis",
    _tasks(
        NOTHING,
        *_COLLECT,
        "Judge the evidence",
        "Show what a repair would change",
        *_RENDER,
        "Compare it with the host, changing nothing",
        "Report what was found",
    ),
)
PROVEN = Play(
    "proven",
    "A repair that is proven",
    (
        *_BEFORE,
        *_tasks(TIMER, *_PROVE),
        *_tasks(
            KEPT,
            UNDO,
            "Report what was done",
            "Stop here if the repair is not proven",
            "Stop where causes remain that a person must mend",
        ),
    ),
)
UNPROVEN = Play(
    "unproven",
    "A repair that is not proven",
    (
        *_BEFORE,
        *_tasks(TIMER, *_PROVE, UNDO),
        *_tasks(UNDONE, "Report what was done", "Stop here if the repair is not proven"),
    ),
)
PLAYS = (DIAGNOSING, PROVEN, UNPROVEN)

#: Tasks at work on the host for a while: the run also dies while they are.
DURING = (CHANGE, "Collect evidence", KEEP)
