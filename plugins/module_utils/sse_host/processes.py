"""Processes that matter, with the limits that are in force for them."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from . import files, proc, runtimes
from .masking import arguments


def describe(
    pids: Iterable[int],
    table: Mapping[int, proc.Proc],
    opened: proc.OpenFiles,
    sockets: Mapping[int, Mapping[str, int]],
    secrets: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """`Process` data of each pid that still runs."""
    found = []
    for pid in pids:
        user = proc.owner(pid)
        if pid not in table or user is None:
            continue
        process = table[pid]
        soft, hard = proc.file_limits(pid)
        argv = proc.cmdline(pid)
        found.append(
            {
                "pid": pid,
                "name": process.name,
                "cmdline": arguments(argv, secrets)[:1000],
                "user": files.user(user),
                "unit": proc.unit(pid),
                "started": process.started,
                "rss_bytes": process.rss_bytes,
                "threads": process.threads,
                "fds_used": opened.count.get(pid),
                "fds_soft": soft,
                "fds_hard": hard,
                "sockets": dict(sockets.get(pid, {})),
                "own_network": proc.own_network(pid),
                **runtimes.described(pid, argv),
            }
        )
    return found


def of_units(units: Iterable[str], table: Mapping[int, proc.Proc]) -> list[int]:
    """Every process in the control groups of these units."""
    wanted = set(units)
    return [pid for pid in sorted(table) if proc.unit(pid) in wanted]
