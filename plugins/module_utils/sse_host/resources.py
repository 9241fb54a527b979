"""Memory, load, open files and disks of the whole host (proc(5), statvfs(3))."""

from __future__ import annotations

import os
from typing import Any, Mapping, Sequence

from . import tuning

_MOUNTS = ("/", "/run", "/tmp", "/var", "/var/log", "/var/lib", "/var/lib/nginx")  # noqa: S108


def read(sockets: Mapping[str, int], paths: Sequence[str] = ()) -> dict[str, Any]:
    """`Resources` data; raises OSError where /proc is not readable.

    ``paths`` are files and folders whose disks matter beside the usual ones.
    """
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = parse_meminfo(file.read())
    used, most = _file_handles()
    return {
        "memory_bytes": memory.get("MemTotal", 0),
        "memory_available_bytes": memory.get("MemAvailable", memory.get("MemFree", 0)),
        "swap_used_bytes": memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
        "load": [round(value, 2) for value in os.getloadavg()],
        "cpus": os.cpu_count() or 1,
        "files_used": used,
        "files_max": most,
        "disks": _disks([*_MOUNTS, *tuning.mounts_of(paths)]),
        "sockets": dict(sockets),
        "kernel": tuning.settings(),
        "counters": tuning.counters(),
        "pressure": tuning.pressure(),
        "peers": tuning.peers(),
    }


def parse_meminfo(text: str) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    values = {}
    for line in text.splitlines():
        name, _colon, rest = line.partition(":")
        parts = rest.split()
        if parts and parts[0].isdigit():
            values[name] = int(parts[0]) * (1024 if parts[1:] == ["kB"] else 1)
    return values


def _file_handles() -> tuple[int | None, int | None]:
    try:
        with open("/proc/sys/fs/file-nr", encoding="ascii") as file:
            used, _free, most = file.read().split()
    except (OSError, ValueError):
        return None, None
    return int(used), int(most)


def _disks(mounts: Sequence[str]) -> list[dict[str, Any]]:
    seen, disks = set(), []
    for mount in mounts:
        try:
            device, space = os.stat(mount).st_dev, os.statvfs(mount)
        except OSError:
            continue
        if device in seen or not space.f_blocks:
            continue
        seen.add(device)
        disks.append(
            {
                "mount": mount,
                "size_bytes": space.f_blocks * space.f_frsize,
                "free_bytes": space.f_bavail * space.f_frsize,
                "inodes": space.f_files,
                "inodes_free": space.f_favail,
            }
        )
    return disks
