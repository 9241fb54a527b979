"""Write docs/crash-matrix.md from the lists that the tests kill by: python -m docs.crash_matrix."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
PAGE = HERE / "crash-matrix.md"
STEPS = HERE.parent / "tests" / "transaction" / "transaction_steps.py"

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

The tests: [tests/transaction](../tests/transaction), `test_transaction_crash.py` and
`test_transaction_on_host.py`.
"""


def page() -> str:
    """The page as it must be."""
    steps = _steps()
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
    return "\n".join(parts)


def main() -> int:
    """Write the page; 0."""
    PAGE.write_text(page(), "utf-8")
    print(f"docs: {PAGE.name}")
    return 0


def _undoing(steps: ModuleType) -> str:
    return _named(steps.LIVE_DEADLY_FOR_UNDO)


def _named(steps: tuple[str, ...]) -> str:
    return ", ".join(f"*{step}*" for step in steps)


def _steps() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transaction_steps", STEPS)
    if spec is None or spec.loader is None:
        raise ImportError(f"{STEPS}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
