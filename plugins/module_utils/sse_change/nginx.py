"""The running nginx: its master and workers, a reload, and what its error log says then."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import ChangeError
from .files import changed_since
from .process import began, children, command_line, one_line, pids, run

_MASTER, _WORKER = "nginx: master process", "nginx: worker process"
RELOAD_SECONDS = 20.0
_TAIL = 64 * 1024
_READ = 256 * 1024

# "2025/01/02 03:04:05 [emerg] 12#12: text": a "*7" after it means one client's connection,
# and what a client does is no verdict on the configuration.
_ALARM = re.compile(
    rb"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(emerg|alert|crit)\] \d+#\d+: (?!\*\d)(.*)$", re.M
)
# Logged by every reload of a host whose limits are lower than its configuration asks for.
_HARMLESS = re.compile(rb"\Asetrlimit\(")


@dataclass(frozen=True)
class Installed:
    """Where nginx keeps its configuration and what it says about itself (``nginx -V``)."""

    binary: str
    main: str  # the configuration file
    options: tuple[str, ...]  # to be given before -t
    pid_file: str
    error_log: str


@dataclass(frozen=True)
class Mark:
    """Where a log file ended at some moment."""

    device: int
    inode: int
    size: int


def installed(master: int | None) -> Installed | None:
    """Which nginx this host has; the running master's own -c and -p win."""
    binary = _binary(master)
    if binary is None:
        return None
    built = run([binary, "-V"], 10).err

    def option(name: str, otherwise: str) -> str:
        found = re.search(rf"--{name}=(\S+)", built)
        return found.group(1) if found else otherwise

    prefix = option("prefix", "/usr/local/nginx")
    options: list[str] = []
    main = os.path.join(prefix, option("conf-path", "conf/nginx.conf"))
    running = command_line(master) if master else ""
    for letter in ("p", "c"):
        given = re.search(rf"\s-{letter}\s*(\S+)", running)
        if given and letter == "p":
            prefix = given.group(1)
            options += ["-p", prefix]
        elif given:
            main = os.path.join(prefix, given.group(1))
    return Installed(
        binary=binary,
        main=main,
        options=tuple(options),
        pid_file=os.path.join(prefix, option("pid-path", "logs/nginx.pid")),
        error_log=os.path.join(prefix, option("error-log-path", "logs/error.log")),
    )


def master(unit: str) -> int | None:
    """The master's pid; None where nginx does not run."""
    if unit and os.path.isdir("/run/systemd/system"):
        shown = run(["systemctl", "show", "--property=MainPID", "--value", "--", unit], 10).out
        pid = int(shown) if shown.strip().isdigit() else 0
        if pid and command_line(pid).startswith(_MASTER):
            return pid
    found = [
        pid for pid in pids() if command_line(pid).startswith(_MASTER) and _same_namespaces(pid)
    ]
    return min(found) if found else None


def workers(master_pid: int | None) -> dict[int, bool]:
    """The master's workers; True for one that is shutting down and serves old streams only."""
    if master_pid is None:
        return {}
    found = {}
    for pid in children().get(master_pid, []):
        title = command_line(pid)
        if title.startswith(_WORKER):
            found[pid] = title.endswith("is shutting down")
    return found


def serving(master_pid: int | None) -> tuple[int, ...]:
    """The workers that accept new connections."""
    return tuple(sorted(pid for pid, leaving in workers(master_pid).items() if not leaving))


def leaving(master_pid: int | None) -> tuple[int, ...]:
    """The workers that only go on with old streams, until the last of these ends."""
    return tuple(sorted(pid for pid, going in workers(master_pid).items() if going))


def staying(master_pid: int, seconds: float = 0.5) -> tuple[int, ...]:
    """Those that are still there after a while: an old worker without streams is gone by then."""
    end = time.monotonic() + seconds
    while leaving(master_pid) and time.monotonic() < end:
        time.sleep(0.05)
    return leaving(master_pid)


def reload(master_pid: int, logs: Sequence[str], seconds: float = RELOAD_SECONDS) -> list[int]:
    """Reload, and return the new workers once no old one accepts connections any more.

    The signal is what ``nginx -s reload`` and ExecReload send in the end; sent directly it
    needs no readable configuration. ChangeError if nginx keeps its old workers, or if its
    log says that the new configuration or a new worker failed.
    """
    before = set(workers(master_pid))
    marks = {path: _mark(path) for path in logs}
    known = {line for path in logs for line in _alarms(_last(path))}
    try:
        os.kill(master_pid, signal.SIGHUP)
    except ProcessLookupError:
        raise ChangeError(f"nginx: its master {master_pid} is gone, must be running") from None
    end = time.monotonic() + seconds
    while True:
        now = workers(master_pid)
        new = sorted(pid for pid, leaving in now.items() if pid not in before and not leaving)
        stale = sorted(pid for pid, leaving in now.items() if pid in before and not leaving)
        alarms = _since(marks, known)
        if alarms:
            raise ChangeError(f"nginx: after the reload its error log says: {alarms[0]}")
        if new and not stale:
            return new
        if time.monotonic() >= end:
            raise ChangeError(
                "nginx: workers {} still accept connections {:.0f} s after the reload, "
                "must be replaced by new ones".format(stale or "none new", seconds)
            )
        time.sleep(0.05)


def error_logs(master_pid: int | None, found: Installed | None) -> tuple[str, ...]:
    """Log files the master holds open, and the built-in one."""
    logs = set()
    if found and os.path.isfile(found.error_log):
        logs.add(os.path.realpath(found.error_log))
    if master_pid:
        folder = f"/proc/{master_pid}/fd"
        for name in os.listdir(folder):
            try:
                path = os.readlink(os.path.join(folder, name))
            except FileNotFoundError:
                continue  # closed meanwhile
            if path.startswith("/") and os.path.isfile(path):
                logs.add(path)
    return tuple(sorted(logs))


def newer_than_workers(directory: str, master_pid: int) -> tuple[str, ...]:
    """Files changed after the serving workers began: a reload would activate them as well."""
    ages = [began(pid) for pid in serving(master_pid)]
    paths = [os.path.join(top, name) for top, _, names in os.walk(directory) for name in names]
    return changed_since(paths, min((one for one in ages if one is not None), default=None))


def _binary(master_pid: int | None) -> str | None:
    if master_pid:
        path = os.readlink(f"/proc/{master_pid}/exe")
        if os.access(path, os.X_OK):  # after an upgrade the running one is "(deleted)"
            return path
    path_of_all = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/usr/local/nginx/sbin"
    return shutil.which("nginx", path=path_of_all)


def _same_namespaces(pid: int) -> bool:
    """Whether a process sees our files and processes: a container's nginx is not this host's."""
    try:
        return all(
            os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink("/proc/self/ns/" + kind)
            for kind in ("mnt", "pid")
        )
    except (FileNotFoundError, PermissionError):
        return False


def _mark(path: str) -> Mark | None:
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return None
    return Mark(info.st_dev, info.st_ino, info.st_size)


def _since(marks: dict[str, Mark | None], known: set[str]) -> list[str]:
    found: list[str] = []
    for path, mark in marks.items():
        now = _mark(path)
        if now is None:
            continue
        same_file = mark is not None and (now.device, now.inode) == (mark.device, mark.inode)
        start = mark.size if mark and same_file and now.size >= mark.size else 0
        found += [
            one_line(line) for line in _alarms(_read(path, start, _READ)) if line not in known
        ]
    return found


def _last(path: str) -> bytes:
    mark = _mark(path)
    return _read(path, max(0, mark.size - _TAIL), _TAIL) if mark else b""


def _read(path: str, start: int, limit: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(limit)


def _alarms(text: bytes) -> list[str]:
    return [
        "[{}] {}".format(
            found.group(1).decode(), found.group(2).decode("utf-8", "backslashreplace")
        )
        for found in _ALARM.finditer(text)
        if not _HARMLESS.match(found.group(2))
    ]
