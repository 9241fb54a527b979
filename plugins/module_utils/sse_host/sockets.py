"""Sockets of the host from /proc/net; the length of accept queues from ss(8)."""

from __future__ import annotations

import ipaddress
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

from . import proc
from .command import run
from .limits import UnavailableError

#: The kernel's names (include/net/tcp_states.h) without their TCP_ prefix.
STATES = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "07": "CLOSE",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
    "0C": "SYN_RECV",
}
#: Data sent so long (ms) after the last of the client is no answer to it any more.
PUSHED_MS = 1000
#: So many clients are counted, those with the most streams.
MOST_CLIENTS = 200
_ACCEPTING = 0x10000  # the flag of a listening unix socket in /proc/net/unix


@dataclass(frozen=True)
class Socket:
    """A TCP socket of our network namespace; ``queue`` counts only for listening ones."""

    family: str
    address: str
    port: int
    state: str
    inode: int
    queue: int


@dataclass(frozen=True)
class UnixListener:
    """A listening unix stream socket with a path."""

    path: str
    inode: int


def tcp(root: str = proc.PROC) -> list[Socket]:
    """All TCP sockets, IPv4 and IPv6; raises `UnavailableError` without /proc/net."""
    found: list[Socket] = []
    for name, family in (("tcp", "inet"), ("tcp6", "inet6")):
        try:
            with open(root + "/net/" + name, encoding="ascii", errors="replace") as file:
                found.extend(parse_tcp(file.read(), family))
        except OSError as error:
            if name == "tcp":
                raise UnavailableError("%s/net/tcp: %s" % (root, error.strerror)) from error
    return found


def parse_tcp(text: str, family: str) -> list[Socket]:
    """The table of /proc/net/tcp or tcp6."""
    sockets = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10:
            continue
        address, _colon, port = fields[1].partition(":")
        state = STATES.get(fields[3], fields[3])
        sockets.append(
            Socket(
                family,
                _address(address) if state == "LISTEN" else "",
                int(port, 16),
                state,
                int(fields[9]),
                int(fields[4].partition(":")[2], 16),
            )
        )
    return sockets


@dataclass(frozen=True)
class Unsent:
    """A connection whose peer has not taken all it was sent.

    ``silent`` is true where the peer does not even acknowledge: what was sent is being sent
    again. A peer that is alive and does not read says so, with a window of zero.
    """

    inode: int
    queued: int
    silent: bool


def unsent(root: str = proc.PROC) -> list[Unsent]:
    """Every established connection with unsent bytes."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open(root + "/net/" + name, encoding="ascii", errors="replace") as file:
                found += parse_unsent(file.read())
        except OSError:
            continue  # a host without IPv6 has no such table
    return found


def parse_unsent(text: str) -> list[Unsent]:
    """Of /proc/net/tcp or tcp6: tx_queue, the timer (1: retransmission) and its tries."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "01" and not fields[4].startswith("00000000"):
            queued = int(fields[4].partition(":")[0], 16)
            again = fields[5].startswith("01") and int(fields[6], 16) > 0
            found.append(Unsent(int(fields[9]), queued, again))
    return found


def parse_peers(text: str, most: int) -> dict[tuple[str, int], dict[str, int]]:
    """The far ends of /proc/net/tcp or tcp6 with the most connections -> how many in each state."""
    total: Counter[str] = Counter()
    states: dict[str, Counter[str]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and STATES.get(fields[3]) != "LISTEN":
            total[fields[2]] += 1
            states.setdefault(fields[2], Counter())[STATES.get(fields[3], fields[3])] += 1
    return {_far(place): dict(states[place]) for place, _count in total.most_common(most)}


def _far(place: str) -> tuple[str, int]:
    """An address of the table; one of IPv4 in IPv6 as itself."""
    digits, _colon, port = place.partition(":")
    address = ipaddress.ip_address(_address(digits).replace("*", "0.0.0.0"))  # noqa: S104
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address), int(port, 16)


def ipv6(digits: str) -> str:
    """An address of 32 hexadecimal digits (/proc/net/if_inet6) as it is usually written."""
    return str(ipaddress.IPv6Address(int(digits, 16)))


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's byte order."""
    words = [text[at : at + 8] for at in range(0, len(text), 8)]
    raw = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    address = ipaddress.ip_address(raw)
    return "*" if address.is_unspecified else str(address)


def unix(root: str = proc.PROC) -> list[UnixListener]:
    """Listening unix sockets; [] where the kernel has none to show."""
    try:
        with open(root + "/net/unix", encoding="utf-8", errors="replace") as file:
            return parse_unix(file.read())
    except OSError:
        return []


def parse_unix(text: str) -> list[UnixListener]:
    """The table of /proc/net/unix: stream sockets that accept and have a path."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[4] == "0001" and int(fields[3], 16) & _ACCEPTING:
            path = fields[7]
            if path.startswith("/"):
                found.append(UnixListener(path, int(fields[6])))
    return found


def backlogs(seconds: float) -> dict[tuple[str, int], tuple[int, int]]:
    """(address, port) -> connections waiting, and how many may wait. Unix: (path, 0)."""
    return parse_ss(run(["ss", "-Hlntx"], seconds).stdout.decode("utf-8", "replace"))


def parse_ss(text: str) -> dict[tuple[str, int], tuple[int, int]]:
    """``ss -Hlntx``: netid state recv-q send-q local:port peer:port."""
    found = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 6 or not (fields[2].isdigit() and fields[3].isdigit()):
            continue
        queue = int(fields[2]), int(fields[3])
        if fields[0] == "tcp":
            address, _colon, port = fields[4].rpartition(":")
            address = address.strip("[]").partition("%")[0]
            if port.isdigit():
                found[(_spelled(address), int(port))] = queue
        elif fields[0].startswith("u_str") and fields[4].startswith("/"):
            found[(fields[4], 0)] = queue
    return found


def streams_by_client(port: int, seconds: float) -> list[int]:
    """How many streams each client address holds open at a local port, the most first.

    Counts alone: the addresses stay on the host. Raises `UnavailableError` without ss(8).
    """
    argv = ["ss", "-Htin", "state", "established", "sport = :%d" % port]
    return parse_streams(run(argv, seconds).stdout.decode("utf-8", "replace"))


def parse_streams(text: str) -> list[int]:
    """``ss -Htin``: a line of queues and addresses, then one of the connection's numbers.

    A stream is a connection on which the server went on sending after the client had last
    asked; one that is kept alive for a next request is none. Of connections from this host
    itself, a proxy's or a monitor's, nothing can be told about a browser.
    """
    counts: Counter[str] = Counter()
    own: set[str] = set()
    peer = ""
    for line in text.splitlines():
        fields = line.split()
        if not line[:1].isspace() and len(fields) >= 4:
            local, peer = _bare(fields[-2]), _bare(fields[-1])
            own.add(local)
            continue
        numbers = dict(field.split(":", 1) for field in fields if ":" in field)
        sent, heard = numbers.get("lastsnd", ""), numbers.get("lastrcv", "")
        if peer and sent.isdigit() and heard.isdigit() and int(heard) - int(sent) > PUSHED_MS:
            counts[peer] += 1
    remote = [n for peer, n in counts.items() if peer not in own and not _loopback(peer)]
    return sorted(remote, reverse=True)[:MOST_CLIENTS]


def _bare(place: str) -> str:
    """The address of "address:port", an IPv4 one in IPv6 as itself."""
    address = place.rpartition(":")[0].strip("[]").partition("%")[0]
    return address[7:] if address.startswith("::ffff:") else address


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _spelled(address: str) -> str:
    return "*" if address == "*" or ipaddress.ip_address(address).is_unspecified else address


def owner(pids: list[int], processes: dict[int, proc.Proc]) -> int | None:
    """Of the processes that share a socket, the one that opened it for the others."""
    for pid in pids:
        if pid in processes and processes[pid].parent not in pids:
            return pid
    return pids[0] if pids else None


def listeners(
    tcp_sockets: list[Socket],
    unix_sockets: list[UnixListener],
    processes: dict[int, proc.Proc],
    files: proc.OpenFiles,
) -> list[dict[str, Any]]:
    """Every listening socket as `Listener` data; the backlog is added later."""
    found = [
        _listener(socket.family, socket.address, socket.port, socket.inode, socket.queue)
        for socket in tcp_sockets
        if socket.state == "LISTEN"
    ]
    found.extend(_listener("unix", item.path, 0, item.inode, None) for item in unix_sockets)
    for item in found:
        pid = owner(files.sockets.get(item.pop("inode"), []), processes)
        item["pid"] = pid
        item["process"] = processes[pid].name if pid is not None else None
        item["unit"] = proc.unit(pid) if pid is not None else None
    return found


def _listener(
    family: str, address: str, port: int, inode: int, queue: int | None
) -> dict[str, Any]:
    return {
        "family": family,
        "address": address,
        "port": port,
        "queue": queue,
        "backlog": None,
        "inode": inode,
    }


def add_backlogs(
    found: list[dict[str, Any]], known: dict[tuple[str, int], tuple[int, int]]
) -> None:
    """Fill in queue and backlog of each listener that ss knows."""
    for item in found:
        if (item["address"], item["port"]) in known:
            item["queue"], item["backlog"] = known[(item["address"], item["port"])]


def states(sockets: list[Socket]) -> dict[str, int]:
    """How many TCP sockets are in each state."""
    return dict(Counter(socket.state for socket in sockets))


def states_by_pid(sockets: list[Socket], files: proc.OpenFiles) -> dict[int, dict[str, int]]:
    """TCP states of the sockets that each process holds."""
    counts: dict[int, dict[str, int]] = {}
    for socket in sockets:
        for pid in files.sockets.get(socket.inode, ()):
            mine = counts.setdefault(pid, {})
            mine[socket.state] = mine.get(socket.state, 0) + 1
    return counts
