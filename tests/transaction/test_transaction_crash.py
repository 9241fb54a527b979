"""Killed at any step, the host comes back whole: all old, or all new and still guarded."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from transaction_driver import ID, OURS
from transaction_tree import snapshot, watchdogs

DRIVER = Path(__file__).with_name("transaction_driver.py")


STEPS = [
    "snapshot",
    "timer",
    "armed",
    "swapping",
    "directory made",
    *(f"aside {number}" for number in (0, 1, 2, 4)),
    *(f"swapped {number}" for number in range(5)),
    "activated",
]
UNDO_STEPS = [
    "reverting",
    *(f"restored {number}" for number in (4, 3, 2, 1, 0)),
    "files back",
    "processes back",
    "receipt",
]


def drive(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DRIVER, root, *words], capture_output=True, text=True, timeout=60
    )


def test_the_steps_listed_here_are_all_the_steps(root: Path) -> None:
    done = drive(root, "activate")
    assert done.returncode == 0, done.stderr
    assert list(dict.fromkeys(done.stdout.split("\n")))[:-1] == STEPS
    undone = drive(root, "revert")
    assert undone.stdout.splitlines() == UNDO_STEPS


@pytest.mark.parametrize("step", STEPS)
def test_killed_while_changing_the_next_run_brings_back_all_old(root: Path, step: str) -> None:
    before = snapshot(root)
    assert drive(root, "activate", step).returncode == -signal.SIGKILL
    for pid in watchdogs(root):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    assert drive(root, "recover").returncode == 0
    assert snapshot(root) == before


@pytest.mark.parametrize("step", STEPS)
def test_killed_while_changing_the_host_alone_brings_back_all_old(root: Path, step: str) -> None:
    before = snapshot(root)
    drive(root, "activate", step)
    program = root / "var/lib/ssemedic" / ID / "undo.py"
    if step == "snapshot":
        assert not program.exists()  # nothing has changed and no timer runs yet
    else:
        subprocess.run([sys.executable, "-I", program], check=True, timeout=60)
    assert snapshot(root) == before


@pytest.mark.parametrize("step", UNDO_STEPS)
def test_killed_while_undoing_the_next_run_finishes_it(root: Path, step: str) -> None:
    before = snapshot(root)
    assert drive(root, "activate").returncode == 0
    assert drive(root, "revert", step).returncode == -signal.SIGKILL
    done = drive(root, "recover")
    assert done.returncode == 0, done.stderr
    assert snapshot(root) == before
    assert watchdogs(root) == []


def test_an_open_change_is_not_undone_by_another_run(root: Path) -> None:
    assert drive(root, "activate").returncode == 0
    done = drive(root, "recover")
    assert "another run is proving it" in done.stderr
    assert (root / OURS.lstrip("/")).exists()


def python_3_8() -> str:
    """A Python 3.8 that runs: the shim of pyenv is there even where it does not."""
    found = [shutil.which("python3.8"), *Path.home().glob(".pyenv/versions/3.8.*/bin/python")]
    for one in found:
        if one and subprocess.run([one, "-c", ""], capture_output=True).returncode == 0:
            return str(one)
    pytest.skip("Python 3.8 is not on this machine")


def test_everything_runs_on_python_3_8(root: Path) -> None:
    python = python_3_8()
    before = snapshot(root)
    run = [python, str(DRIVER), str(root), "activate"]
    subprocess.run(run, check=True, timeout=60)
    program = root / "var/lib/ssemedic" / ID / "undo.py"
    subprocess.run([python, "-I", program], check=True, timeout=60)
    assert snapshot(root) == before
