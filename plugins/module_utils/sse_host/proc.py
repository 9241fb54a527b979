"""The process table, from /proc: who runs, since when, in which unit (proc(5))."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass

PROC = "/proc"


@dataclass(frozen=True)
class Proc:
    """One line of the process table. ``started`` is epoch seconds."""

    pid: int
    parent: int
    name: str
    started: float
    threads: int
    rss_bytes: int


def table(root: str = PROC) -> dict[int, Proc]:
    """Every process of our own PID namespace's view, by pid."""
    boot = boot_time(root)
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGESIZE")
    processes = {}
    for entry in os.listdir(root):
        if not entry.isdigit():
            continue
        text = _text(root, entry, "stat")
        if text is None:
            continue  # it ended while we looked
        process = parse_stat(text, boot, ticks, page)
        if process is not None:
            processes[process.pid] = process
    return processes


def one(pid: int, root: str = PROC) -> Proc | None:
    """The line of one process as it is now, None if it ended."""
    text = _text(root, str(pid), "stat")
    if text is None:
        return None
    return parse_stat(text, boot_time(root), os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGESIZE"))


def parse_stat(text: str, boot: float, ticks: int, page: int) -> Proc | None:
    """/proc/PID/stat. The name may hold spaces and parentheses, so the last one counts."""
    opening, closing = text.find("("), text.rfind(")")
    fields = text[closing + 2 :].split()
    if opening < 0 or len(fields) < 22:
        return None
    return Proc(
        pid=int(text[:opening]),
        parent=int(fields[1]),
        name=text[opening + 1 : closing],
        started=round(boot + int(fields[19]) / ticks, 2),
        threads=int(fields[17]),
        rss_bytes=int(fields[21]) * page,
    )


def boot_time(root: str = PROC) -> float:
    """Epoch seconds of the boot that process start times count from."""
    if root == PROC:
        # /proc/stat has whole seconds only; a start time must compare with a file's mtime.
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for line in (_text(root, "stat") or "").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def cmdline(pid: int, root: str = PROC) -> list[str]:
    """The arguments; [] for a process that ended or a kernel thread."""
    text = _text(root, str(pid), "cmdline")
    return [part for part in (text or "").split("\0") if part]


def owner(pid: int, root: str = PROC) -> int | None:
    """The user id that the process belongs to, None if it ended."""
    try:
        return os.stat(os.path.join(root, str(pid))).st_uid
    except OSError:
        return None


def nested(pid: int, root: str = PROC) -> bool:
    """True for a process in a PID namespace below ours: a container's, not this host's."""
    return _levels(str(pid), root) > _levels("self", root)


def _levels(pid: str, root: str) -> int:
    found = re.search(r"^NSpid:(.*)$", _text(root, pid, "status") or "", re.M)
    return len(found.group(1).split()) if found else 1


def own_network(pid: int, root: str = PROC) -> bool | None:
    """True for a process in another network namespace than ours; None where it is not seen."""
    try:
        theirs = os.readlink(os.path.join(root, str(pid), "ns", "net"))
        return theirs != os.readlink(os.path.join(root, "self", "ns", "net"))
    except OSError:
        return None


def file_limits(pid: int, root: str = PROC) -> tuple[int | None, int | None]:
    """Soft and hard limit of open files in force; None where not readable."""
    found = re.search(r"^Max open files +(\S+) +(\S+)", _text(root, str(pid), "limits") or "", re.M)
    if not found:
        return None, None
    soft, hard = (None if value == "unlimited" else int(value) for value in found.groups())
    return soft, hard


def unit(pid: int, root: str = PROC) -> str | None:
    """The systemd unit of a process, from its control group; None outside of systemd."""
    text = _text(root, str(pid), "cgroup")
    if not text:
        return None
    return unit_of(cgroup_path(text), cgroup_path(_text(root, "1", "cgroup") or ""))


def cgroup_path(text: str) -> str:
    """systemd's own path in /proc/PID/cgroup: the named v1 hierarchy, else v2."""
    unified = ""
    for line in text.splitlines():
        _number, _colon, rest = line.partition(":")
        controllers, _colon, path = rest.partition(":")
        if controllers == "name=systemd":
            return path
        if not controllers:
            unified = path
    return unified


def unit_of(path: str, init: str) -> str | None:
    """The unit that owns a cgroup path; ``init`` is the path of PID 1 on the same host.

    In a container without a cgroup namespace every path starts with the outer one.
    """
    prefix = init[: -len("/init.scope")] if init.endswith("/init.scope") else ""
    if prefix and path.startswith(prefix + "/"):
        path = path[len(prefix) :]
    parts = [part for part in path.split("/") if part]
    services = [part for part in parts if part.endswith(".service")]
    if services:
        return services[0]
    scopes = [part for part in parts if part.endswith(".scope")]
    return scopes[-1] if scopes else None


@dataclass(frozen=True)
class OpenFiles:
    """Open files of the processes that may be looked into."""

    count: dict[int, int]  # pid -> open files
    sockets: dict[int, list[int]]  # socket inode -> pids, ascending
    refused: int  # processes whose files we may not see


def open_files(processes: dict[int, Proc], root: str = PROC) -> OpenFiles:
    """Who holds which socket; needs root for processes of other users."""
    count: dict[int, int] = {}
    sockets: dict[int, list[int]] = {}
    refused = 0
    for pid in sorted(processes):
        folder = os.path.join(root, str(pid), "fd")
        try:
            entries = os.listdir(folder)
        except PermissionError:
            refused += 1
            continue
        except OSError:
            continue
        count[pid] = len(entries)
        for entry in entries:
            try:
                target = os.readlink(folder + "/" + entry)
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.setdefault(int(target[8:-1]), []).append(pid)
    return OpenFiles(count, sockets, refused)


def _text(root: str, *parts: str) -> str | None:
    try:
        with open(os.path.join(root, *parts), "rb") as file:
            return file.read(262144).decode("utf-8", "replace")
    except OSError:
        return None
