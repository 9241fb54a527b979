"""Put everything back as it was before a transaction. Safe to run again after any crash."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Callable

from . import boot, files, guard, journal, nginx, units
from .errors import ChangeError, LockHeldError
from .journal import Journal, Kept
from .process import started

Step = Callable[[str], None]

# How long the timer waits for a module that is still at work before it ends that module.
PATIENCE_SECONDS = 60.0
_REASONS = {
    "timer": "nobody confirmed the change in time",
    "boot": "the host was restarted before the change was confirmed",
}


def nothing(_: str) -> None:
    """The hook that real runs pass; tests pass one that kills the process at a step."""


def undo(where: str, by: str, reason: str, step: Step = nothing) -> dict[str, Any]:
    """Undo the transaction in ``where`` and return its receipt; the caller holds the lock.

    ``by`` is who asks (run, timer, boot, recovery), ``reason`` why. A path that someone else has
    changed since is put aside in ``found/`` first, so that nothing is lost. Raises
    ChangeError (undone False) if anything could not be put back.
    """
    state = journal.load(where)
    if state is None:
        receipt = journal.receipt(where, journal.REVERTED, by, "nothing had been changed")
        journal.write_receipt(where, receipt)
        return receipt
    earlier = journal.read_receipt(where)
    if state.phase == journal.REVERTED and earlier:
        return earlier
    failures: list[str] = []
    # A full disk must not keep the old files from coming back, so a journal that cannot be
    # written is only remembered: without it the next run undoes again, to the same end.
    unwritten: list[str] = []
    attempt(unwritten, partial(journal.save, where, state.at(journal.REVERTING)))
    step("reverting")
    aside: list[str] = []
    again: list[int] = []
    for number, kept in reversed(list(enumerate(state.kept))):
        if number in state.theirs:
            attempt(failures, partial(files.remove, journal.temporary(state, number)))
            continue
        try:
            attempt(failures, partial(_restore, where, state, number, kept, aside))
        except _NoRoomError:
            again.append(number)
        step(f"restored {number}")
    for number in again:  # our own new files are gone now, which makes room
        attempt(failures, partial(_restore, where, state, number, state.kept[number], aside, True))
    for path in reversed(state.directories):
        attempt(failures, partial(files.remove_directory, path))
    attempt(failures, partial(_restore_links, state))
    step("files back")
    # Before systemd reads its units anew: it must not remember one that is gone.
    attempt(failures, partial(boot.disable, state.id, state.systemd_root))
    if by == "boot":
        if units.systemd_runs() and state.systemd_root == units.ROOT:
            _before_the_start(state, failures)
    elif state.live:
        _reactivate(state, failures)
    for path in state.new_logs:
        attempt(failures, partial(files.remove_if_empty, path))
    step("processes back")
    failures += _differences(where, state)
    outcome = journal.UNDO_FAILED if failures else journal.REVERTED
    sentence = "{}: {}".format(
        reason, "; ".join(failures) if failures else "everything is as it was"
    )
    theirs = [state.kept[number].path for number in state.theirs]
    receipt = journal.receipt(
        where, outcome, by, sentence, put_aside=aside, unwritten=unwritten, theirs=theirs
    )
    attempt(unwritten, partial(journal.write_receipt, where, receipt))
    step("receipt")
    attempt(unwritten, partial(journal.save, where, state.at(outcome)))
    attempt(unwritten, partial(guard.disarm, state))
    if failures:
        raise ChangeError(sentence, undone=False, id=state.id, put_aside=aside)
    return receipt


def main(where: str, arguments: Sequence[str], step: Step = nothing) -> int:
    """What timer and boot run. Exit code 0: the change is undone, or was confirmed before."""
    by = "boot" if "--boot" in arguments else "timer"
    if len(arguments) == 2 and arguments[0] == "--after":
        time.sleep(float(arguments[1]))
    top = os.path.dirname(where)
    try:
        try:
            return _undo_locked(top, where, by, step)
        except LockHeldError:
            state = journal.load(where)
            if state is None or not _end(state.owner):
                raise
            return _undo_locked(top, where, by, step)
    except ChangeError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    except OSError as error:  # a state directory that is gone, a disk that fails
        print("{}: {}".format(error.filename or where, error.strerror), file=sys.stderr)
        return 1


def _undo_locked(top: str, where: str, by: str, step: Step) -> int:
    with journal.locked(top, PATIENCE_SECONDS):
        state = journal.load(where)
        if state is not None and state.phase in journal.ENDED:
            guard.disarm(state)
            return 0
        undo(where, by, _REASONS[by], step)
    return 0


def _end(owner: Any) -> bool:
    """Kill a module that holds the lock long after its time; False if it is another process."""
    pid = int(owner.get("pid") or 0)
    if not pid or started(pid) != owner.get("started"):
        return False
    os.kill(pid, signal.SIGKILL)
    return True


class _NoRoomError(Exception):
    """The disk is full: to be tried again once other files of the change are gone."""


def _restore(
    where: str, state: Journal, number: int, kept: Kept, aside: list[str], last: bool = False
) -> None:
    folder = os.path.dirname(kept.where)
    temporary = journal.temporary(state, number)
    files.remove(temporary)
    before = journal.thing_before(where, number, kept)
    if before.kind == files.ABSENT and not os.path.isdir(folder):
        return
    now = files.look(kept.where)
    if not now.same_thing(before) and not as_left(now, kept):
        path = _put_aside(where, number, now)
        if path not in aside:  # the second time on a full disk
            aside.append(path)
    try:
        files.put(before, kept.where, temporary)
    except OSError as error:
        files.remove(temporary)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        if not last:
            raise _NoRoomError from error
        files.overwrite(before, kept.where)


def as_left(now: files.Look, kept: Kept) -> bool:
    """True if a path is as the transaction left it: nobody else has changed it since."""
    return now.kind == kept.after_kind and (now.sha256 or now.target) == kept.after


def _put_aside(where: str, number: int, now: files.Look) -> str:
    os.makedirs(os.path.join(where, "found"), 0o700, exist_ok=True)
    path = os.path.join(where, "found", str(number))
    files.write_aside(now, path)
    return path


def _restore_links(state: Journal) -> None:
    for unit in state.units:
        now = units.enabling_links(unit.name, unit.also, state.systemd_root)
        units.restore_links(unit.links, now)
    for path in units.directories(state.systemd_root):
        if path not in state.systemd_directories:
            files.remove_directory(path)


def _reactivate(state: Journal, failures: list[str]) -> None:
    if units.systemd_runs():
        if state.daemon_reload or state.units:
            attempt(failures, partial(units.command, "daemon-reload"))
        touched = [unit for unit in state.units if unit.start]
        for unit in touched:
            attempt(failures, partial(_restart, unit))
        for unit in touched:
            if unit.active == "active":
                attempt(failures, partial(units.wait_ready, unit.name, unit.listening))
    running = nginx.master(state.nginx_unit) if state.nginx_reload else None
    if running is not None:
        logs = nginx.error_logs(running, nginx.installed(running))
        if state.nginx_was_valid:
            attempt(failures, partial(nginx.reload, running, logs))
        else:
            # It had not been able to load these files before us either.
            os.kill(running, signal.SIGHUP)


def _before_the_start(state: Journal, failures: list[str]) -> None:
    """At boot nothing of it runs yet: systemd reads the old units and starts them by itself."""
    attempt(failures, partial(units.command, "daemon-reload"))
    for unit in state.units:
        if unit.start and unit.active not in units.RUNNING:
            # We had it enabled, so its start is on the list already: take it off.
            attempt(failures, partial(units.command, "stop", unit.name, "--no-block"))


def _restart(unit: journal.KeptUnit) -> None:
    if unit.active not in units.RUNNING:
        units.command("stop", unit.name)
        units.forget_failure(unit.name)
        return
    units.forget_failure(unit.name)
    units.start(unit.name, "restart")


def _differences(where: str, state: Journal) -> list[str]:
    """Read everything back: what counts is what is there, not what was called."""
    found = []
    for number, kept in enumerate(state.kept):
        if number in state.theirs:
            continue
        try:
            if not files.look(kept.where).same_thing(journal.thing_before(where, number, kept)):
                found.append(f"{kept.path}: is not as it was")
        except (ChangeError, OSError) as error:
            found.append(f"{kept.path}: {error}")
    return found


def attempt(failures: list[str], action: Callable[[], Any]) -> bool:
    """Go on after a failure, remember it: the other files must come back all the same."""
    try:
        action()
    except ChangeError as error:
        failures.append(error.sentence)
    except OSError as error:
        failures.append("{}: {}".format(error.filename or "host", error.strerror))
    else:
        return False
    return True
