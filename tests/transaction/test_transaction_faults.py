"""What goes wrong while a host is changed: one clear sentence, and the host as it was."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sse_change.change import activation, planned
from sse_change.errors import ChangeError
from sse_change.pending import pending
from sse_change.transaction import Host, activate, commit, recover, revert, status
from transaction_driver import changes
from transaction_tree import snapshot, watchdogs

DRIVER = Path(__file__).with_name("transaction_driver.py")
DAY = 86_400
SITE = "etc/nginx/sites-available/site"
STATE = "var/lib/ssemedic"
Tree = dict[str, tuple[object, ...]]


def change(root: Path, listed: list[dict[str, Any]] | None = None) -> str:
    listed = changes(root) if listed is None else listed
    done = activate(Host(str(root)), planned(listed, str(root)), activation(None), 600)
    return str(done["id"])


def failed(root: Path, **options: Any) -> ChangeError:
    with pytest.raises(ChangeError) as caught:
        change(root, **options)
    assert "\n" not in caught.value.sentence
    return caught.value


def drive(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DRIVER, root, *words], capture_output=True, text=True, timeout=60
    )


@contextlib.contextmanager
def small(folder: Path, options: str) -> Iterator[None]:
    """Put a folder, with what is in it, on a file system of its own."""
    aside = folder.with_name(folder.name + "-aside")
    folder.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", folder, aside], check=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", folder], check=True)
        subprocess.run(["rm", "-r", aside], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def filled(folder: Path, what: str) -> Iterator[None]:
    """Take every byte, or every inode, until the end of the block."""
    filler = folder / ".filler"
    filler.mkdir()
    with contextlib.suppress(OSError):
        if what == "bytes":
            with (filler / "0").open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass
        else:
            for number in range(100_000):
                (filler / str(number)).touch()
    try:
        yield
    finally:
        subprocess.run(["rm", "-r", filler], check=True)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


ROOM = {"bytes": "size=256k", "inodes": "nr_inodes=64"}


@pytest.mark.parametrize("what", ROOM)
def test_a_full_disk_is_met_before_the_first_file_is_swapped(root: Path, what: str) -> None:
    nginx = root / "etc/nginx"
    with small(nginx, ROOM[what]):
        before = snapshot(root)
        with filled(nginx, what):
            error = failed(root)
        assert error.undone is True
        assert "/etc/nginx/" in error.sentence
        assert error.sentence.endswith(": No space left on device; the change was undone")
        assert snapshot(root) == before
        assert watchdogs(root) == []


@pytest.mark.parametrize("edit_alone", [False, True], ids=["with new files", "one edit alone"])
@pytest.mark.parametrize("what", ROOM)
def test_a_disk_that_fills_up_while_the_change_is_open_lets_the_old_files_back(
    root: Path, what: str, edit_alone: bool
) -> None:
    nginx = root / "etc/nginx"
    with small(nginx, ROOM[what]):
        before = snapshot(root)
        identity = change(root, changes(root)[1:2] if edit_alone else None)
        with filled(nginx, what):
            assert revert(Host(str(root)), identity)["receipt"]["outcome"] == "reverted"
        assert snapshot(root) == before


@pytest.mark.parametrize("what", ROOM)
def test_no_room_for_the_old_bytes_means_nothing_is_begun(root: Path, what: str) -> None:
    before = snapshot(root)
    state = root / STATE
    with small(state, ROOM[what]), filled(state, what):
        error = failed(root)
        assert error.undone is True
        assert error.sentence.startswith(f"{state}/")
        assert error.sentence.endswith(": No space left on device; nothing was changed")
        assert status(Host(str(root)))["transactions"] == []
        assert snapshot(root) == before
        assert watchdogs(root) == []


def test_a_full_state_directory_cannot_confirm_but_can_undo(root: Path) -> None:
    before = snapshot(root)
    state = root / STATE
    with small(state, "size=512k"):
        identity = change(root)
        with filled(state, "bytes"):
            with pytest.raises(ChangeError) as error:
                commit(Host(str(root)), identity)
            assert "No space left on device; the change is not confirmed" in error.value.sentence
            assert error.value.undone is None
            receipt = revert(Host(str(root)), identity)["receipt"]
            assert any("No space left" in one for one in receipt["unwritten"])
        assert snapshot(root) == before
        recover(Host(str(root)))
        assert snapshot(root) == before
        assert status(Host(str(root)))["unfinished"] is None


def test_etc_that_is_read_only_is_said_and_nothing_changes(root: Path) -> None:
    before = snapshot(root)
    with read_only(root / "etc"):
        error = failed(root)
    assert error.undone is True
    assert error.sentence.endswith("Read-only file system; the change was undone")
    assert snapshot(root) == before


def test_a_state_directory_that_is_read_only_is_said_and_nothing_changes(root: Path) -> None:
    before = snapshot(root)
    (root / STATE).mkdir()
    with read_only(root / STATE):
        error = failed(root)
    assert error.undone is True
    assert error.sentence.endswith("Read-only file system; nothing was changed")
    assert snapshot(root) == before


def test_etc_that_becomes_read_only_fails_the_undo_and_a_later_one_ends_it(root: Path) -> None:
    before = snapshot(root)
    identity = change(root)
    with read_only(root / "etc"), pytest.raises(ChangeError, match="Read-only") as error:
        revert(Host(str(root)), identity)
    assert error.value.undone is False
    [receipt] = recover(Host(str(root)))
    assert receipt["outcome"] == "reverted"
    assert snapshot(root) == before


def test_a_file_made_immutable_meanwhile_is_named_and_all_others_are_back(root: Path) -> None:
    before = snapshot(root)
    identity = change(root)
    site = root / SITE
    if subprocess.run(["chattr", "+i", site], capture_output=True).returncode:
        pytest.skip("this file system has no immutable files")
    try:
        with pytest.raises(ChangeError, match="Operation not permitted") as error:
            revert(Host(str(root)), identity)
        assert "sites-available" in error.value.sentence
        assert error.value.undone is False
        assert (root / "etc/nginx/legacy.conf").exists()
    finally:
        subprocess.run(["chattr", "-i", site], check=True)
    recover(Host(str(root)))
    assert snapshot(root) == before


def test_a_write_that_the_kernel_cuts_short_leaves_all_old(root: Path) -> None:
    before = snapshot(root)
    done = drive(root, "activate", "swapping", "efbig")
    assert done.stderr.startswith("undone=True "), done.stderr
    assert "File too large; the change was undone" in done.stderr
    assert snapshot(root) == before


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="another wire")
@pytest.mark.parametrize("step", ["snapshot", "swapping", "swapped 1", "swapped 4"])
def test_a_disk_that_answers_eio_is_never_called_success(root: Path, step: str) -> None:
    """From this step on no fsync succeeds: what was put back may not be on the disk."""
    before = snapshot(root)
    done = drive(root, "activate", step, "eio")
    assert done.returncode == 1
    assert "Input/output error" in done.stderr
    if step == "snapshot":
        assert done.stderr.startswith("undone=True ")
        assert "nothing was changed" in done.stderr
    else:
        assert done.stderr.startswith("undone=False "), done.stderr
    recovered = drive(root, "recover")
    assert recovered.returncode == 0, recovered.stderr
    assert snapshot(root) == before
    assert watchdogs(root) == []


@pytest.mark.parametrize("shift", [DAY, -DAY, 100 * 365 * DAY], ids=["+1 d", "-1 d", "+100 y"])
def test_a_clock_that_jumps_does_not_end_or_lengthen_the_window(root: Path, shift: int) -> None:
    assert drive(root, "activate").returncode == 0
    refused = drive(root, "activate", "", f"clock={shift}", "other")
    assert "another run is proving it" in refused.stderr, refused.stderr
    left = int(refused.stderr.rsplit("reverts it in ", 1)[1].split(" s")[0])
    assert 500 < left <= 600
    assert len(watchdogs(root)) == 1
    assert drive(root, "commit", "", f"clock={shift}").returncode == 0


def test_a_clock_that_is_set_back_does_not_make_the_newest_change_the_oldest(root: Path) -> None:
    for number in range(10):
        listed = [{"path": "/etc/nginx/n.conf", "content": f"# {number}\n"}]
        commit(Host(str(root)), change(root, listed))
    assert drive(root, "activate", "", f"clock={-DAY}").returncode == 0
    assert drive(root, "commit", "", f"clock={-DAY}").returncode == 0
    kept = [one["id"] for one in status(Host(str(root)))["transactions"]]
    assert kept[-1] == "test-1"
    assert len(kept) == 10
    assert drive(root, "rollback").returncode == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the call's number is of this machine")
def test_the_watchdog_sleeps_by_a_clock_that_nobody_can_set(root: Path) -> None:
    identity = change(root)
    [pid] = watchdogs(root)
    end = time.monotonic() + 20
    while not (call := Path(f"/proc/{pid}/syscall").read_text().split())[0].isdigit() or int(
        call[0]
    ) not in (23, 230, 270):
        assert time.monotonic() < end, call
        time.sleep(0.05)
    # select(2) knows no other clock; clock_nanosleep(2) says which: 1 is CLOCK_MONOTONIC.
    assert int(call[0]) != 230 or int(call[1], 16) == 1
    revert(Host(str(root)), identity)


def test_of_two_runs_at_once_one_changes_the_host_and_one_says_why_not(root: Path) -> None:
    words = [[sys.executable, DRIVER, root, "activate", "", "kill", name] for name in ("a", "b")]
    runs = [
        subprocess.Popen(one, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in words
    ]
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1], said
    # Whoever came second planned for what the first has made, or met it while it is open.
    [why] = [text for text in said if text]
    assert "another run is proving it" in why
    assert len(watchdogs(root)) == 1


def test_what_others_wrote_while_the_change_was_open_is_told_and_stays(root: Path) -> None:
    identity = change(root)
    (root / SITE).write_bytes(b"certbot\n")
    done = commit(Host(str(root)), identity)
    assert done["changed_since"] == ["/etc/nginx/sites-enabled/site"]
    assert (root / SITE).read_bytes() == b"certbot\n"


def test_nobody_confirms_and_what_others_wrote_meanwhile_is_kept_aside(root: Path) -> None:
    before = snapshot(root)
    identity = change(root)
    (root / SITE).write_bytes(b"certbot\n")
    for pid in watchdogs(root):
        os.kill(pid, 9)
    assert drive(root, "timer", "", "kill", identity).returncode == 0
    assert snapshot(root) == before
    [told] = status(Host(str(root)))["undone_by_host"]
    [aside] = told["put_aside"]
    assert Path(aside).read_bytes() == b"certbot\n"


def test_a_timer_whose_lock_cannot_be_opened_says_so_in_one_sentence(root: Path) -> None:
    identity = change(root)
    lock = root / STATE / "lock"
    lock.unlink()
    lock.mkdir()
    done = drive(root, "timer", "", "kill", identity)
    assert done.returncode == 1
    assert done.stderr == f"lock {lock}: Is a directory, must be a file\n"
    lock.rmdir()
    assert drive(root, "timer", "", "kill", identity).returncode == 0


def test_a_timer_undoes_though_its_own_directory_has_become_read_only(root: Path) -> None:
    before = snapshot(root)
    identity = change(root)
    with read_only(root / STATE):
        assert drive(root, "timer", "", "kill", identity).returncode == 0
        assert snapshot(root) == before
    recover(Host(str(root)))
    assert status(Host(str(root)))["unfinished"] is None


def test_what_the_next_run_must_be_told_is_found_by_reading_alone(root: Path) -> None:
    state = str(root / STATE)
    identity = change(root)
    [is_open] = pending(state)
    assert (is_open["id"], is_open["phase"]) == (identity, "activated")
    assert 500 < is_open["seconds_left"] <= 600
    for pid in watchdogs(root):
        os.kill(pid, 9)
    assert drive(root, "timer", "", "kill", identity).returncode == 0
    [undone] = pending(state)
    assert (undone["by"], undone["phase"]) == ("timer", "reverted")
    assert undone["sentence"].startswith("nobody confirmed the change in time")
    change(root, [{"path": "/etc/nginx/n.conf", "content": "#\n"}])
    assert [one["phase"] for one in pending(state)] == ["activated"]
