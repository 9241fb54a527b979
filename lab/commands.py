"""Run a command of the machine; say what it said when it fails."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from lab.errors import LabError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(
    command: Sequence[str], *, stdin: str | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever the exit code. Raises LabError after `seconds`."""
    try:
        return subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]}: still running after {seconds:g} s") from None
    except FileNotFoundError:
        raise SetupError(
            f"{command[0]}: is not installed; `python -m lab setup` installs it"
        ) from None


def must(command: Sequence[str], *, stdin: str | None = None, seconds: float = 60) -> str:
    """Return what the command printed. Raises LabError when it fails."""
    done = run(command, stdin=stdin, seconds=seconds)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"{command[0]}: exit code is {done.returncode}, must be 0: {said}")
    return done.stdout
