"""systemd units: what they are now, starting them, and the links that enable them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence

from . import files
from .errors import ChangeError
from .process import TIMED_OUT, age, began, descendants, one_line, run

ROOT = "/etc/systemd/system"
READY_SECONDS = 30.0
_SETTLED_SECONDS = 1.0
_COMMAND_SECONDS = 45.0
_SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,Result,Type,MainPID,NRestarts,FragmentPath,"
    "DropInPaths,NeedDaemonReload"
)
RUNNING = ("active", "activating", "reloading")


def systemd_runs() -> bool:
    """sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def properties(unit: str) -> dict[str, str]:
    """``systemctl show`` of one unit; a unit systemd does not know has LoadState not-found."""
    shown = run(["systemctl", "show", "--property=" + _SHOWN, "--", unit], 15)
    if shown.code != 0:
        raise ChangeError(f"unit {unit}: {one_line(shown.err or shown.out)}")
    pairs = (line.partition("=") for line in shown.out.splitlines())
    return {name: value for name, _, value in pairs}


def command(verb: str, unit: str = "", *options: str) -> None:
    """One systemctl verb; ChangeError with what systemd says if it fails."""
    argv = ["systemctl", "--no-ask-password", *options, verb] + (["--", unit] if unit else [])
    done = run(argv, _COMMAND_SECONDS)
    if done.code != 0:
        # systemctl's advice ("see journalctl -xe") follows the first line: the first says it.
        said = (done.err or done.out).strip().splitlines()
        raise ChangeError(
            "systemctl {}: {}".format(
                " ".join([verb, unit]).strip(), one_line(said[0] if said else "")
            )
        )


def forget_failure(unit: str) -> None:
    """Lift a start limit. A unit that is not loaded has none, and systemctl calls that an error."""
    run(["systemctl", "--no-ask-password", "reset-failed", "--", unit], _COMMAND_SECONDS)


def start(unit: str, verb: str) -> None:
    """Start or restart; a job that outlasts its time is judged by `wait_ready`, not here."""
    done = run(["systemctl", "--no-ask-password", verb, "--", unit], _COMMAND_SECONDS)
    if done.code == TIMED_OUT:
        raise ChangeError(f"unit {unit}: {verb} did not finish in {_COMMAND_SECONDS:.0f} s")
    if done.code != 0:
        state = properties(unit)
        raise ChangeError(f"unit {unit}: {verb} failed, {_state(state)}")


def wait_ready(unit: str, listening: Sequence[str]) -> None:
    """Wait until the unit stays up and listens where it did; ChangeError says what is missing.

    Up means: its main process is a second old. A service that dies at once and is started
    again by systemd looks active most of the time.
    """
    end = time.monotonic() + READY_SECONDS
    restarts = int(properties(unit).get("NRestarts") or 0)
    while True:
        state = properties(unit)
        main = int(state.get("MainPID") or 0)
        gone = [one for one in listening if one not in sockets(main)]
        if _finished(state):
            return
        if state["ActiveState"] == "active" and not gone and _settled(main):
            return
        died = int(state.get("NRestarts") or 0) - restarts
        if state["ActiveState"] == "failed" or died >= 3 or time.monotonic() >= end:
            raise ChangeError(
                "unit {}: {}{}, must be active{}".format(
                    unit,
                    _state(state),
                    f", restarted {died} times" if died else "",
                    " and listen on {}".format(", ".join(gone)) if gone else "",
                )
            )
        time.sleep(0.2)


def sockets(pid: int) -> tuple[str, ...]:
    """What a process and its descendants listen on: ``port 8000`` or ``socket /run/x``."""
    if pid <= 0:
        return ()
    inodes = set()
    for one in descendants(pid):
        inodes |= _socket_inodes(one)
    found = set()
    for name in ("tcp", "tcp6"):
        for fields in table(f"/proc/{pid}/net/{name}"):
            if len(fields) > 9 and fields[3] == "0A" and fields[9] in inodes:
                found.add(f"port {int(fields[1].rpartition(':')[2], 16)}")
    for fields in table(f"/proc/{pid}/net/unix"):
        # Flag 0x10000 (SO_ACCEPTCON): it listens.
        if len(fields) > 7 and fields[3] == "00010000" and fields[6] in inodes:
            found.add("socket " + fields[7])
    return tuple(sorted(found))


def outdated(state: Mapping[str, str]) -> tuple[str, ...]:
    """Unit files that changed after the unit's main process began: it does not have them yet."""
    paths = [state.get("FragmentPath", ""), *state.get("DropInPaths", "").split()]
    pid = int(state.get("MainPID") or 0)
    return files.changed_since([path for path in paths if path], began(pid) if pid else None)


def enabling_links(unit: str, also: Sequence[str] = (), root: str = ROOT) -> dict[str, str]:
    """Every link below /etc/systemd/system that stands for the unit, and where it leads.

    ``systemctl enable`` makes them and ``disable`` removes them; put back as they were, they
    restore the state whatever [Install] says by then.
    """
    names = {unit, *also}
    found = {}
    for folder in [root, *directories(root)]:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                target = os.readlink(path)
                if name in names or os.path.basename(target) in names:
                    found[path] = target
    return found


def directories(root: str = ROOT) -> tuple[str, ...]:
    """The folders that hold enabling links (systemd.unit(5), [Install])."""
    ends = (".wants", ".requires", ".upholds")
    if not os.path.isdir(root):
        return ()
    paths = [os.path.join(root, name) for name in sorted(os.listdir(root)) if name.endswith(ends)]
    return tuple(path for path in paths if os.path.isdir(path) and not os.path.islink(path))


def installed_with(state: Mapping[str, str]) -> tuple[str, ...]:
    """Units that [Install] Also= enables together with this one."""
    found: list[str] = []
    for path in [state.get("FragmentPath", ""), *state.get("DropInPaths", "").split()]:
        if path and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                for words in re.findall(r"^\s*Also\s*=\s*(.*)$", file.read(), re.M):
                    found += words.split()
    return tuple(found)


def restore_links(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Undo what enable or disable did."""
    for path in now:
        if path not in before:
            files.remove(path)
            files.sync_directory(os.path.dirname(path))
    for path, target in before.items():
        if now.get(path) != target:
            folder, name = os.path.split(path)
            files.make_directory(folder)
            files.put(
                files.Look(files.LINK, target=target),
                path,
                os.path.join(folder, ".ssemedic-" + name),
            )


def _settled(main: int) -> bool:
    """A unit without a main process (a oneshot that remains) has nothing to die."""
    seconds = age(main) if main else None
    return not main or (seconds is not None and seconds >= _SETTLED_SECONDS)


def _finished(state: Mapping[str, str]) -> bool:
    return (
        state.get("Type") == "oneshot"
        and state["ActiveState"] == "inactive"
        and state.get("Result") == "success"
    )


def _state(state: Mapping[str, str]) -> str:
    text = "observed {} ({})".format(state.get("ActiveState"), state.get("SubState"))
    result = state.get("Result", "success")
    return text if result == "success" else text + ", result " + result


def _socket_inodes(pid: int) -> set[str]:
    folder = f"/proc/{pid}/fd"
    found = set()
    try:
        for name in os.listdir(folder):
            target = _link(os.path.join(folder, name))
            if target and target.startswith("socket:["):
                found.add(target[8:-1])
    except (FileNotFoundError, ProcessLookupError):
        return set()  # the process ended meanwhile
    return found


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None  # closed meanwhile


def table(path: str) -> list[list[str]]:
    """The lines of one of the kernel's tables in /proc, in fields, without its head."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.split() for line in file.readlines()[1:]]
    except (FileNotFoundError, ProcessLookupError, OSError):
        return []  # the process ended meanwhile, or the kernel has no such family
