"""What this process and its kernel know about themselves: limits, memory, ports."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Descriptors left free for everything but streams.
RESERVE = 64

_PROC = Path("/proc")


@dataclass(frozen=True)
class OwnLimits:
    """Descriptors allowed and in use, ports to connect from; None where it is not known."""

    fds: int
    fds_used: int
    ports: int | None

    @property
    def streams(self) -> int:
        """How many streams the descriptors leave room for."""
        return max(0, self.fds - self.fds_used - RESERVE)


@contextlib.contextmanager
def most_descriptors() -> Iterator[None]:
    """The soft limit on descriptors as high as the hard one, and back afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limits() -> OwnLimits:
    """As they are now."""
    folder = _PROC / "self" / "fd"
    used = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 16
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OwnLimits(soft if soft != resource.RLIM_INFINITY else 1 << 20, used, _ports())


def resident() -> int | None:
    """Bytes of memory that this process has, None where /proc does not say (proc(5), statm)."""
    text = _read("self/statm")
    return int(text.split()[1]) * resource.getpagesize() if text else None


def overflows() -> int | None:
    """Connections this kernel dropped because a listener's queue was full (ListenOverflows).

    It counts for all listeners of this network namespace, so it speaks for a server only
    where the server is on this machine.
    """
    rows = [line.split() for line in _read("net/netstat").splitlines()]
    for names, values in zip(rows[::2], rows[1::2], strict=False):
        if names[0] == "TcpExt:" and "ListenOverflows" in names:
            return int(values[names.index("ListenOverflows")])
    return None


def _ports() -> int | None:
    words = _read("sys/net/ipv4/ip_local_port_range").split()
    return int(words[1]) - int(words[0]) + 1 if len(words) == 2 else None


def _read(name: str) -> str:
    try:
        return (_PROC / name).read_text(encoding="ascii")
    except FileNotFoundError:  # not Linux
        return ""
