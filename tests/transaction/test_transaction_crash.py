"""Killed at any step, the host comes back whole: all old, or all new and still guarded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sse_change import undo
from sse_change.transaction import Host, recover
from transaction_driver import ID, OURS
from transaction_steps import (
    BOOT,
    BY_BOOT,
    BY_TIMER,
    CHANGING,
    MIXED,
    NEW,
    NEXT_RUN,
    OLD,
    ROLLING_BACK,
    SCENES,
    TIMER,
    Death,
    Scene,
)
from transaction_tree import snapshot, watchdogs

DRIVER = Path(__file__).with_name("transaction_driver.py")
DEATHS = [(scene, death) for scene in SCENES for death in scene.deaths]
IDS = [f"{scene.name}, {death.step}" for scene, death in DEATHS]


def drive(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DRIVER, root, *words], capture_output=True, text=True, timeout=60
    )


def prepare(root: Path, scene: Scene) -> None:
    """What precedes a scene: an open change, or a confirmed one."""
    if scene is not CHANGING:
        assert drive(root, "activate").returncode == 0
    if scene is ROLLING_BACK:
        assert drive(root, "commit").returncode == 0


def forget_the_timers(root: Path) -> None:
    for pid in watchdogs(root):
        os.kill(pid, signal.SIGKILL)


def finish(root: Path, finisher: str) -> None:
    """Have one finisher bring a killed change to its end, the others being gone."""
    forget_the_timers(root)
    if finisher == NEXT_RUN:
        recover(Host(str(root)))
        return
    words = ["--boot"] if finisher == BOOT else []
    assert undo.main(str(root / "var/lib/ssemedic" / ID), words) == 0


@pytest.fixture
def ends(root: Path, tmp_path: Path) -> dict[str, dict[str, tuple[object, ...]]]:
    """The tree as it is before the change, and as it is after, times aside."""
    twin = tmp_path / "twin"
    subprocess.run(["cp", "-a", root, twin], check=True)
    assert drive(twin, "activate").returncode == 0
    forget_the_timers(twin)
    return {OLD: snapshot(root), NEW: timeless(twin)}


def timeless(root: Path) -> dict[str, tuple[object, ...]]:
    """A tree without the times of its files, and without what waits beside its place."""
    found = {}
    for name, told in snapshot(root).items():
        if not name.rpartition("/")[2].startswith(".ssemedic-"):
            found[name] = (*told[:4], told[5]) if len(told) == 6 else told
    return found


def files_are(root: Path, ends: dict[str, dict[str, tuple[object, ...]]]) -> str:
    """All old, all new, or both; folders that we made for the files are not files."""
    old = {
        name: (*told[:4], told[5]) if len(told) == 6 else told for name, told in ends[OLD].items()
    }
    now = {name: told for name, told in timeless(root).items() if not (root / name).is_dir()}
    old = {name: told for name, told in old.items() if len(told) != 3}
    new = {name: told for name, told in ends[NEW].items() if len(told) != 3}
    return OLD if now == old else NEW if now == new else MIXED


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_steps_listed_are_all_the_steps(root: Path, scene: Scene) -> None:
    prepare(root, scene)
    done = drive(root, scene.name)
    assert done.returncode == 0, done.stderr
    assert list(dict.fromkeys(done.stdout.splitlines())) == scene.steps


@pytest.mark.parametrize(("scene", "death"), DEATHS, ids=IDS)
def test_killed_at_any_step_each_finisher_brings_it_to_its_end(
    root: Path,
    tmp_path: Path,
    ends: dict[str, dict[str, tuple[object, ...]]],
    scene: Scene,
    death: Death,
) -> None:
    prepare(root, scene)
    if scene in (BY_TIMER, BY_BOOT):
        forget_the_timers(root)
    assert drive(root, scene.name, death.step).returncode == -signal.SIGKILL
    assert files_are(root, ends) == death.files
    if scene not in (BY_TIMER, BY_BOOT):
        assert len(watchdogs(root)) == (TIMER in death.finishers)
    for finisher in death.finishers:
        copy = tmp_path / finisher
        subprocess.run(["cp", "-a", root, copy], check=True)
        point_at(copy, root)
        finish(copy, finisher)
        assert watchdogs(copy) == []
        if scene.end == OLD:
            assert snapshot(copy) == ends[OLD], finisher
        else:
            assert files_are(copy, ends) == NEW, finisher
    forget_the_timers(root)


def point_at(copy: Path, root: Path) -> None:
    """Have the journal of a copied tree speak of the copy."""
    journal = copy / "var/lib/ssemedic" / ID / "journal.json"
    if journal.exists():
        journal.write_text(journal.read_text().replace(f'"{root}/', f'"{copy}/'))


def test_the_timer_that_a_rollback_arms_again_finishes_it(root: Path) -> None:
    before = snapshot(root)
    prepare(root, ROLLING_BACK)
    assert watchdogs(root) == []
    assert drive(root, "rollback", "restored 2").returncode == -signal.SIGKILL
    assert len(watchdogs(root)) == 1
    forget_the_timers(root)
    # What that process would have run, from the transaction's own directory alone.
    program = root / "var/lib/ssemedic" / ID / "undo.py"
    subprocess.run([sys.executable, "-IB", program], check=True, timeout=60)
    assert snapshot(root) == before


def test_killed_while_it_forgets_a_change_the_next_run_goes_on(root: Path) -> None:
    """The journal goes first: a half removed directory must not look like an open change."""
    before = snapshot(root)
    assert drive(root, "activate", "armed").returncode == -signal.SIGKILL
    forget_the_timers(root)
    where = root / "var/lib/ssemedic" / ID
    forgetting = (
        "import os, shutil, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from sse_change import journal\n"
        "shutil.rmtree = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "journal.forget(sys.argv[2])\n"
    )
    utilities = Path(__file__).parents[2] / "plugins/module_utils"
    done = subprocess.run([sys.executable, "-c", forgetting, utilities, where])
    assert done.returncode == -signal.SIGKILL
    (where / "before/1").unlink()
    assert drive(root, "recover").stderr == ""
    assert not where.exists()
    assert snapshot(root) == before


def test_the_published_matrix_says_what_these_tests_prove() -> None:
    project = Path(__file__).parents[2]
    written = subprocess.run(
        [sys.executable, "-c", "from docs.crash_matrix import page; print(page(), end='')"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (project / "docs/crash-matrix.md").read_text() == written, "run `make docs`"


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
    subprocess.run([python, "-IB", program], check=True, timeout=60)
    assert snapshot(root) == before
