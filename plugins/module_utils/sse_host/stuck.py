"""Clients that do not take what they are sent, and what that does to who sends.

Looked at twice: a queue that is full for a moment is a busy client, one that stands still
over the whole window is a client that reads no more or is gone.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Dict, List, Mapping, Optional

from . import proc, sockets
from .command import run
from .limits import UnavailableError

#: Numbers of write, writev, sendto, sendmsg and sendfile (x86-64; arm64).
_SENDS = {"x86_64": (1, 20, 44, 46, 40), "aarch64": (64, 66, 206, 211, 71)}
_MOST_THREADS = 256
_UNKNOWN = -1
_TAKEN = re.compile(r"\bino:(\d+)\b.*?\bbytes_acked:(\d+)")

_Queues = Dict[int, Dict[int, sockets.Unsent]]


class Queues:
    """The first look; `since` takes the second."""

    def __init__(self, table: Mapping[int, proc.Proc], opened: proc.OpenFiles) -> None:
        self._at = time.monotonic()
        self._table = table
        self._opened = opened
        self._queues: _Queues = _unsent(opened) if opened.sockets else {}
        self._taken = taken() if self._queues else {}
        self._units = {pid: proc.unit(pid) for pid in self._queues}

    def since(self) -> List[Dict[str, Any]]:
        """`Stuck` data of each process with clients that took nothing since the first look."""
        if not self._queues:
            return []
        seconds = round(time.monotonic() - self._at, 1)
        now, taken_now = _unsent(self._opened), taken()
        found = []
        for pid, before in self._queues.items():
            process = proc.one(pid)
            first = self._table[pid]
            # The moment of the boot that start times count from wobbles by some milliseconds.
            ended = process is None or abs(process.started - first.started) > 0.5
            after = now.get(pid, {})
            still = {
                inode: before[inode] if ended else after[inode]
                for inode in before
                if ended
                or (inode in after and taken_now.get(inode) == self._taken.get(inode, _UNKNOWN))
            }
            if not still:
                continue
            size = first.rss_bytes if ended or process is None else process.rss_bytes
            found.append(
                {
                    "pid": pid,
                    "unit": self._units[pid],
                    "seconds": seconds,
                    "clients": len(still),
                    "queued_bytes": sum(one.queued for one in still.values()),
                    "grown_bytes": size - first.rss_bytes,
                    "gone": sum(one.silent for one in still.values()),
                    "blocked": 0 if ended else blocked(pid, set(still)),
                    "ended": ended,
                }
            )
        return found


def taken() -> Dict[int, int]:
    """Socket inode -> bytes that the peer has taken since it connected, as ss(8) tells."""
    try:
        output = run(["ss", "-HtineO", "state", "established"], 3.0)
    except UnavailableError:
        return {}
    return parse_taken(output.stdout.decode("ascii", "replace"))


def parse_taken(text: str) -> Dict[int, int]:
    """One socket per line; a socket whose peer has taken nothing has no bytes_acked."""
    found = {}
    for line in text.splitlines():
        match = _TAKEN.search(line)
        if match:
            found[int(match.group(1))] = int(match.group(2))
    return found


def blocked(pid: int, inodes: set[int], root: str = proc.PROC) -> int:
    """How many threads wait in a send to one of these sockets; needs root."""
    count = 0
    try:
        threads = os.listdir("%s/%d/task" % (root, pid))[:_MOST_THREADS]
    except OSError:
        return 0
    for thread in threads:
        inode = _sends_to("%s/%d/task/%s/syscall" % (root, pid, thread), pid, root)
        count += inode in inodes
    return count


def _sends_to(path: str, pid: int, root: str) -> Optional[int]:
    """The socket that a thread waits to send to (proc(5), /proc/PID/syscall: number, arguments)."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            words = file.read().split()
        if len(words) < 2 or int(words[0]) not in _SENDS.get(os.uname().machine, ()):
            return None
        target = os.readlink("%s/%d/fd/%d" % (root, pid, int(words[1], 16)))
    except (OSError, ValueError):  # it runs just now, or it ended
        return None
    return int(target[8:-1]) if target.startswith("socket:[") else None


def _unsent(opened: proc.OpenFiles) -> _Queues:
    """Per process: socket inode -> what its peer has not taken."""
    found: _Queues = {}
    for one in sockets.unsent():
        for pid in opened.sockets.get(one.inode, ())[:1]:
            found.setdefault(pid, {})[one.inode] = one
    return found
