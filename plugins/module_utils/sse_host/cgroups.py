"""What the kernel enforces and counts for one unit: its control group, v1 or v2.

What a unit file says is not what is in force: a slice above it may be tighter, and a
controller that is not mounted enforces nothing. So the files of the group itself are read.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional

CGROUP = "/sys/fs/cgroup"

#: cgroup v1 prints the largest page-aligned number where there is no limit.
_V1_NO_LIMIT = 1 << 60


def describe(path: str, root: str = CGROUP) -> Optional[dict[str, Any]]:
    """`ControlGroup` data of ``path`` (systemd's ControlGroup); None where it has none."""
    if not path.startswith("/") or ".." in path.split("/"):
        return None
    unified = os.path.exists(os.path.join(root, "cgroup.controllers"))
    memory = _folder(root, "" if unified else "memory", path)
    tasks = _folder(root, "" if unified else "pids", path)
    cpu = _folder(root, "" if unified else "cpu", path)
    if memory is None and tasks is None:
        return None
    used = "memory.current" if unified else "memory.usage_in_bytes"
    most = "memory.max" if unified else "memory.limit_in_bytes"
    kills = _fields(memory, "memory.events" if unified else "memory.oom_control")
    limit, holder = _lowest(root, "" if unified else "memory", path, most)
    tasks_max, tasks_holder = _lowest(root, "" if unified else "pids", path, "pids.max")
    peak = "memory.peak" if unified else "memory.max_usage_in_bytes"
    return {
        "path": path,
        "memory_bytes": _number(_line(memory, used)),
        "memory_peak_bytes": _number(_line(memory, peak)),
        "memory_max": limit,
        "memory_max_of": holder,
        "oom_kills": kills.get("oom_kill"),
        "tasks": _number(_line(tasks, "pids.current")),
        "tasks_max": tasks_max,
        "tasks_max_of": tasks_holder,
        "tasks_refused": _fields(tasks, "pids.events").get("max"),
        "throttled_seconds": _throttled(_fields(cpu, "cpu.stat")),
    }


def _folder(root: str, controller: str, path: str) -> Optional[str]:
    folder = os.path.join(root, controller, path.strip("/"))
    return folder if os.path.isdir(folder) else None


def _lowest(root: str, controller: str, path: str, name: str) -> tuple[Optional[int], str]:
    """The tightest limit of the group and of those above it, and which group sets it."""
    lowest, holder = None, ""
    parts = [part for part in path.split("/") if part]
    for depth in range(len(parts), 0, -1):
        above = "/" + "/".join(parts[:depth])
        limit = _number(_line(_folder(root, controller, above), name))
        if limit is not None and limit < _V1_NO_LIMIT and (lowest is None or limit < lowest):
            lowest, holder = limit, parts[depth - 1]
    return lowest, holder


def _throttled(fields: Mapping[str, int]) -> Optional[float]:
    """v2 counts microseconds, v1 nanoseconds."""
    if "throttled_usec" in fields:
        return fields["throttled_usec"] / 1e6
    return fields["throttled_time"] / 1e9 if "throttled_time" in fields else None


def _fields(folder: Optional[str], name: str) -> dict[str, int]:
    text = _read(folder, name) or ""
    pairs = (line.split() for line in text.splitlines())
    return {p[0]: int(p[1]) for p in pairs if len(p) == 2 and p[1].isdigit()}


def _line(folder: Optional[str], name: str) -> str:
    return (_read(folder, name) or "").strip()


def _number(text: str) -> Optional[int]:
    return int(text) if text.isdigit() else None


def _read(folder: Optional[str], name: str) -> Optional[str]:
    if folder is None:
        return None
    try:
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return None
