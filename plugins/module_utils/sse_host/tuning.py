"""What the kernel's network and memory settings are, and what it counted and dropped."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import Any, Mapping, Sequence

from . import proc, sockets

#: sysctl name -> file below /proc/sys; one that is absent is left out.
SETTINGS = (
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_abort_on_overflow",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "vm.overcommit_memory",
    "kernel.pid_max",
    "kernel.threads-max",
)
#: Counters of /proc/net/netstat and /proc/net/snmp that tell of connections that were lost.
COUNTERS = (
    "ListenOverflows",
    "ListenDrops",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "TCPBacklogDrop",
    "TCPAbortOnMemory",
    "TCPAbortOnTimeout",
    "TCPTimeouts",
    "RetransSegs",
    "AttemptFails",
    "EstabResets",
)
_MOST_PEERS = 8


def settings(root: str = "/proc/sys") -> dict[str, str]:
    """Every setting of `SETTINGS` that this kernel has, as it is printed."""
    found = {}
    for name in SETTINGS:
        text = _text(os.path.join(root, name.replace(".", "/")))
        if text is not None:
            found[name] = " ".join(text.split())
    return found


def counters(root: str = proc.PROC) -> dict[str, int]:
    """The counters of `COUNTERS`, and how often the kernel killed for memory, since the start."""
    found = {}
    for name in ("netstat", "snmp"):
        pairs = parse_pairs(_text(root + "/net/" + name) or "")
        found.update({key: value for key, value in pairs.items() if key in COUNTERS})
    kills = re.search(r"(?m)^oom_kill (\d+)$", _text(root + "/vmstat") or "")
    if kills:
        found["oom_kill"] = int(kills.group(1))
    return found


def parse_pairs(text: str) -> dict[str, int]:
    """/proc/net/netstat: a line of names, then a line of numbers, each with the same prefix."""
    found: dict[str, int] = {}
    names: list[str] = []
    for line in text.splitlines():
        prefix, *words = line.split() or [""]
        if names[:1] != [prefix]:
            names = [prefix, *words]
            continue
        for at, word in enumerate(words, 1):
            if at < len(names) and word.lstrip("-").isdigit():
                found[names[at]] = int(word)
        names = []
    return found


def pressure(root: str = proc.PROC) -> dict[str, float]:
    """ "memory.some", "memory.full", "cpu.some", "io.some", "io.full": share of the last 10 s.

    In percent (kernel's accounting/psi); {} for a kernel without it.
    """
    found = {}
    for source in ("memory", "cpu", "io"):
        text = _text(root + "/pressure/" + source) or ""
        for kind, value in re.findall(r"(?m)^(some|full) avg10=([\d.]+)", text):
            found[source + "." + kind] = float(value)
    return found


def peers(root: str = proc.PROC, most: int = _MOST_PEERS) -> list[dict[str, Any]]:
    """The places with which most of this host's own ports are taken up, the busiest first.

    A local port can be used once for each far address and port, whatever the state of the
    connection: TIME_WAIT counts too.
    """
    states: dict[tuple[str, int], Counter[str]] = {}
    for name in ("tcp", "tcp6"):
        for place, counts in sockets.parse_peers(_text(root + "/net/" + name) or "", most).items():
            states.setdefault(place, Counter()).update(counts)
    busiest = sorted(states.items(), key=lambda item: -sum(item[1].values()))[:most]
    return [
        {"address": far, "port": port, "states": dict(counts)} for (far, port), counts in busiest
    ]


def addresses(root: str = proc.PROC) -> list[str]:
    """This host's own addresses, IPv4 and IPv6, loopback left out."""
    found = parse_fib(_text(root + "/net/fib_trie") or "")
    for line in (_text(root + "/net/if_inet6") or "").splitlines():
        word = line.split()[0] if line.split() else ""
        if len(word) == 32:
            found.append(sockets.ipv6(word))
    return sorted({one for one in found if not one.startswith("127.") and one != "::1"})


def parse_fib(text: str) -> list[str]:
    """The addresses of /proc/net/fib_trie that are marked as the host's own."""
    found, last = [], ""
    for line in text.splitlines():
        leaf = re.match(r"\s*\|-- (\d+\.\d+\.\d+\.\d+)$", line)
        if leaf:
            last = leaf.group(1)
        elif re.match(r"\s*/32 host LOCAL$", line) and last:
            found.append(last)
    return found


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """By how much each counter grew; those that did not are left out."""
    return {k: after[k] - before.get(k, 0) for k in after if after[k] > before.get(k, 0)}


def mounts_of(paths: Sequence[str]) -> list[str]:
    """The mount point of each path that exists (of its nearest folder that does), once each."""
    found = []
    for path in paths:
        here = os.path.realpath(path)
        while not os.path.exists(here) and here != "/":
            here = os.path.dirname(here)
        while not os.path.ismount(here) and here != "/":
            here = os.path.dirname(here)
        if here not in found:
            found.append(here)
    return found


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None
