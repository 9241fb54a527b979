"""Who is connected to what a change reloads or restarts: counted before it and after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import units
from .nginx import Installed

STAY, DROP = "stay", "drop"
_ESTABLISHED, _CONNECTED = "01", "03"
#: nginx ends what is left in its old workers after this time (ngx_core_module).
_SHUTDOWN = re.compile(rb"^\s*worker_shutdown_timeout\s+([0-9a-z]{1,20})\s*;", re.M)


@dataclass(frozen=True)
class Crowd:
    """The connections that one listening socket has accepted and that are open."""

    of: str  # a unit
    at: str  # "port 8080" or "socket /run/x"
    will: str  # stay: in nginx's old workers; drop
    connections: frozenset[str]
    until: str = ""  # how long the old workers may stay, as nginx's configuration says


def crowds(of: str, pid: int, will: str, until: str = "") -> tuple[Crowd, ...]:
    """Who is connected to what a process and its descendants listen on; empty places left out."""
    found = connections(units.sockets(pid))
    return tuple(
        Crowd(of, at, will, frozenset(open_there), until)
        for at, open_there in sorted(found.items())
        if open_there
    )


def connections(places: Sequence[str]) -> dict[str, set[str]]:
    """Accepted connections of each place, as `units.sockets` names it."""
    found: dict[str, set[str]] = {place: set() for place in places}
    for table in ("tcp", "tcp6"):
        for fields in units.table("/proc/net/" + table):
            if len(fields) > 9 and fields[3] == _ESTABLISHED:
                place = f"port {int(fields[1].rpartition(':')[2], 16)}"
                if place in found:
                    found[place].add(f"{fields[1]} {fields[2]}")
    for fields in units.table("/proc/net/unix"):
        if len(fields) > 7 and fields[5] == _CONNECTED and "socket " + fields[7] in found:
            found["socket " + fields[7]].add(fields[6])
    return found


def told(before: Iterable[Crowd]) -> list[dict[str, Any]]:
    """What a plan says: how many are connected, and what becomes of them."""
    return [_told(crowd) for crowd in before]


def told_after(before: Sequence[Crowd]) -> list[dict[str, Any]]:
    """The same, and how many of them are still connected now."""
    now = connections([crowd.at for crowd in before])
    return [dict(_told(one), kept=len(one.connections & now[one.at])) for one in before]


def shutdown_timeout(installed: Installed | None) -> str:
    """nginx's worker_shutdown_timeout, "" where its main file sets none."""
    if installed is None:
        return ""
    with open(installed.main, "rb") as file:
        found = _SHUTDOWN.search(file.read())
    return found.group(1).decode("ascii") if found else ""


def _told(crowd: Crowd) -> Mapping[str, Any]:
    return {
        "of": crowd.of,
        "at": crowd.at,
        "open": len(crowd.connections),
        "will": crowd.will,
        "until": crowd.until,
        "kept": None,
    }
