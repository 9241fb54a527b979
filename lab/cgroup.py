"""One cgroup per host, in every hierarchy of the machine (v1, hybrid and v2).

Without its own cgroup a guest's systemd would manage its neighbours' units; with it,
whatever survives of a host can be found and killed, however the lab itself died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, SetupError

KILL_SECONDS = 10.0
# A process of the host sits in a leaf: cgroup v2 gives limits only to groups without own ones.
LEAVES = ("supervisor", "guest", "visitor")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup tree."""

    root: Path
    version: int

    def path(self, group: str) -> Path:
        return self.root / group


def hierarchies() -> list[Hierarchy]:
    """Every cgroup tree mounted on this machine. Raises SetupError where there is none."""
    found: dict[Path, Hierarchy] = {}
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            found[Path(where)] = Hierarchy(Path(where), 2 if kind == "cgroup2" else 1)
    if not found:
        raise SetupError("cgroups: none is mounted below /sys/fs/cgroup, systemd hosts need them")
    return list(found.values())


def _inherit_cpuset(group: Path) -> None:
    # A cpuset of cgroup v1 is born without processors and refuses every process.
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = group / name
        if file.exists() and not file.read_text().strip():
            file.write_text((group.parent / name).read_text().strip())


def _delegate_controllers(group: Path) -> None:
    controllers = (group / "cgroup.controllers").read_text().split()
    wanted = [name for name in ("cpu", "io", "memory", "pids") if name in controllers]
    if not wanted:
        return
    try:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))
    except OSError as error:
        raise SetupError(
            f"cgroup {group}: handing down {' '.join(wanted)} failed ({error.strerror}); "
            "limits of lab hosts would be ignored"
        ) from None


def create(group: str) -> None:
    """Make `group` and its leaves in every hierarchy. Raises SetupError."""
    for tree in hierarchies():
        parent = tree.root
        for part in Path(group).parts:
            if tree.version == 2:
                _delegate_controllers(parent)
            parent = parent / part
            parent.mkdir(exist_ok=True)
            if tree.version == 1:
                _inherit_cpuset(parent)
        if tree.version == 2:
            _delegate_controllers(parent)
        for leaf in LEAVES:
            (parent / leaf).mkdir(exist_ok=True)
            if tree.version == 1:
                _inherit_cpuset(parent / leaf)


def entry_files(group: str, leaf: str) -> list[str]:
    """The files a process writes its number to in order to enter the leaf everywhere."""
    return [str(tree.path(group) / leaf / "cgroup.procs") for tree in hierarchies()]


def entering(group: str, leaf: str, command: list[str]) -> list[str]:
    """The command that enters the leaf first and then becomes `command`."""
    files = entry_files(group, leaf)
    script = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1"; shift; n=$((n-1)); done; '
    return ["/bin/sh", "-euc", script + 'exec "$@"', "sh", str(len(files)), *files, *command]


def members(group: str) -> set[int]:
    """The processes in the group and below it, in any hierarchy."""
    return _members(group, hierarchies())


def residents(group: str) -> set[int]:
    """The processes that live in the group: in every hierarchy, so one is asked."""
    return _members(group, hierarchies()[:1])


def _members(group: str, trees: list[Hierarchy]) -> set[int]:
    pids: set[int] = set()
    for tree in trees:
        for folder in _folders(tree.path(group)):
            # A group may vanish while it is being read; its processes are elsewhere or gone.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                pids.update(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
    return pids


def _folders(top: Path) -> list[Path]:
    """The group and those below it, uppermost first; what vanishes meanwhile is left out."""
    return [Path(folder) for folder, _, _ in os.walk(top)]


def children(group: str) -> set[str]:
    """Names of the groups directly below `group`, in any hierarchy."""
    names: set[str] = set()
    for tree in hierarchies():
        if tree.path(group).is_dir():
            names.update(entry.name for entry in tree.path(group).iterdir() if entry.is_dir())
    return names


def exists(group: str) -> bool:
    return any(tree.path(group).exists() for tree in hierarchies())


def destroy(group: str) -> None:
    """Kill everything in the group, then remove it, deepest first. Raises LabError."""
    deadline = time.monotonic() + KILL_SECONDS
    while pids := members(group):
        if time.monotonic() > deadline:
            raise LabError(f"cgroup {group}: processes {sorted(pids)} outlive SIGKILL")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    for tree in hierarchies():
        _remove_tree(tree.path(group), deadline)


def _remove_tree(top: Path, deadline: float) -> None:
    for folder in reversed(_folders(top)):
        while folder.exists():
            try:
                folder.rmdir()
            except FileNotFoundError:
                break
            except OSError as error:
                # The kernel needs a moment after the last process has gone.
                if time.monotonic() > deadline:
                    raise LabError(f"cgroup {folder}: cannot be removed, {error}") from None
                time.sleep(0.02)
