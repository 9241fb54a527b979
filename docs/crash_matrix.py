"""Write docs/crash-matrix.md from the lists that the tests kill by: python -m docs.crash_matrix."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
PAGE = HERE / "crash-matrix.md"
TESTS = HERE.parent / "tests" / "transaction"

_HEAD = """\
# Who finishes a change that was killed

A change of a host is a row of steps. Here each of them is the last one: the process gets
`kill -9` right after it. "The files are" is what a reader of the host's files finds then.
"Finished by" is who brings it to its end, whoever comes first:

- **timer**: the undo that the host runs by itself when nobody confirms (with systemd a timer, else
  a process of ours). Killed while it undoes, systemd starts it again after 2 s; without systemd
  that is left to the next run;
- **boot**: the undo that the host's next start runs before nginx (with systemd);
- **next run**: whatever ssemedic is asked to change on this host next.

Each file is whole at every moment: it is written beside its place, brought to the disk, renamed.
The one exception: while a change is undone on a disk that is full, and the files of the change that
went away made too little room, an old file is written over the new one in its place.
"""
_LIVE = """\
## With processes

On a lab host, where nginx, systemd and a service read the files, the module is killed at
{changing}, and the undo at {undoing}.
Each time the next run, and for some of them the timer alone, brought back all of `/etc` with
owners, modes and times, the units' states, what is enabled, the limits of the running service, and
an nginx that answers. A restart of the host, orderly or at once, inside the window ends the same
way.

"""
_TASKS = """\
## The run, at each of its tasks

The same from the other end: right before each task of a run the connection is cut (the host's sshd
and all its sessions die), or Ansible is killed (`kill -9` of it and all that it started). Both end
alike. The next run is a diagnosis, which reads what the host has to tell.
"""
_END = """\
While {during} is at work on the host, and when the command line itself is killed, the
host ends undone or proven, whichever it had heard last.

The tests: [tests/transaction](../tests/transaction), `test_transaction_crash.py` and
`test_transaction_on_host.py`;
[tests/e2e/test_interruptions.py](../tests/e2e/test_interruptions.py).
"""


def page() -> str:
    """The page as it must be."""
    steps = _list("transaction_steps")
    parts = [_HEAD]
    for scene in steps.SCENES:
        parts.append(f"## {scene.title}\n")
        parts.append("| killed after | the files are | finished by | and are then |")
        parts.append("|---|---|---|---|")
        parts += [
            f"| {death.step} | {death.files} | {', '.join(death.finishers)} | {scene.end} |"
            for death in scene.deaths
        ]
        parts.append("")
    parts.append(_LIVE.format(changing=_named(steps.LIVE_DEADLY), undoing=_undoing(steps)))
    return "\n".join([*parts, *_runs(_list("transaction_tasks"))])


def _runs(tasks: ModuleType) -> list[str]:
    parts = [_TASKS]
    for play in tasks.PLAYS:
        parts += [f"### {play.title}\n", "| cut or killed before | the host |", "|---|---|"]
        # What precedes the confirmation is the same for both kinds of repair.
        first = play.names.index(tasks.KEEP) if play is tasks.UNPROVEN else 0
        parts += [
            f"| {number}. {task.name} | {task.end} |"
            for number, task in enumerate(play.tasks[first:], first + 1)
        ]
        parts.append("")
    return [*parts, _END.format(during=" or ".join(f"*{name}*" for name in tasks.DURING))]


def main() -> int:
    """Write the page; 0."""
    PAGE.write_text(page(), "utf-8")
    print(f"docs: {PAGE.name}")
    return 0


def _undoing(steps: ModuleType) -> str:
    return _named(steps.LIVE_DEADLY_FOR_UNDO)


def _named(steps: tuple[str, ...]) -> str:
    return ", ".join(f"*{step}*" for step in steps)


def _list(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
