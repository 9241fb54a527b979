"""Run commands with a bound on their time, and read what /proc says about processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
}
NOT_FOUND = 127
TIMED_OUT = 124


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def run(argv: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Done:
    """Run ``argv``; after ``seconds`` its whole process group is killed (code 124)."""
    try:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(_ENVIRONMENT, **(environment or {})),
            start_new_session=True,
        )
    except OSError as error:
        return Done(NOT_FOUND, "", f"{argv[0]}: {error.strerror}")
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return Done(
            TIMED_OUT, "", "{}: still running after {:.0f} s".format(" ".join(argv[:3]), seconds)
        )
    return Done(child.returncode, _text(out), _text(err))


def one_line(text: str, limit: int = 400) -> str:
    """Host text for a sentence: one line, no control characters, at most ``limit`` characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is none.

    Together with the pid it names one process for good: pids are used again.
    """
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def age(pid: int) -> float | None:
    """How long a process has run, in seconds, to about 10 ms; no clock that is set can fool it."""
    ticks = started(pid)
    if ticks is None:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def began(pid: int) -> float | None:
    """When a process started, in seconds since the epoch by today's clock, to about 10 ms."""
    seconds = age(pid)
    return None if seconds is None else time.time() - seconds


def children() -> dict[int, list[int]]:
    """Every process's children."""
    found: dict[int, list[int]] = {}
    for pid in pids():
        fields = _stat(pid)
        if fields:
            found.setdefault(int(fields[1]), []).append(pid)
    return found


def descendants(pid: int) -> tuple[int, ...]:
    """``pid`` and every process below it."""
    below = children()
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue.extend(below.get(one, []))
    return tuple(found)


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_line(pid: int) -> str:
    """The process's title or arguments, joined with blanks; empty if it is gone."""
    return _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode("utf-8", "replace").strip()


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on (proc_pid_stat(5)): the name may hold blanks."""
    text = _read(f"/proc/{pid}/stat").decode("utf-8", "replace")
    return text.rpartition(")")[2].split() if ")" in text else []


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""  # the process ended meanwhile, or is none of ours
