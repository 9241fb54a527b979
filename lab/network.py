"""The lab's network: one namespace with a bridge and no way out, one namespace per host."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lab import dial
from lab.commands import must, run
from lab.errors import LabError
from lab.layout import BRIDGE, NETWORK, PREFIX, Host, Lab

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

NAMESPACES = Path("/run/netns")


def namespace_exists(name: str) -> bool:
    return (NAMESPACES / name).exists()


def namespaces(prefix: str) -> list[Path]:
    """Namespaces whose name starts with the prefix."""
    return sorted(NAMESPACES.glob(f"{prefix}*"))


def _usable(name: str) -> bool:
    # A file whose mount is gone (the machine restarted) is a namespace in name only.
    return namespace_exists(name) and run(["ip", "netns", "exec", name, "true"]).returncode == 0


def _remove_namespace(name: str) -> None:
    if namespace_exists(name):
        must(["ip", "netns", "delete", name])


def _batch(namespace: str, lines: list[str]) -> None:
    must(["ip", "-netns", namespace, "-batch", "-"], stdin="\n".join(lines) + "\n")


def create_lab_network(lab: Lab) -> None:
    """Make the lab's namespace and bridge where they are missing.

    The namespace has no link to the machine's own network and no default route.
    """
    if (
        _usable(lab.netns)
        and run(["ip", "-netns", lab.netns, "link", "show", BRIDGE]).returncode == 0
    ):
        return
    _remove_namespace(lab.netns)
    must(["ip", "netns", "add", lab.netns])
    _batch(
        lab.netns,
        [
            "link set lo up",
            # The fixed address keeps neighbours from waiting for a stale one.
            f"link add {BRIDGE} address 02:5e:00:00:01:00 type bridge stp_state 0 forward_delay 0",
            f"address add {NETWORK}.1/{PREFIX} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ],
    )


def remove_lab_network(lab: Lab) -> None:
    _remove_namespace(lab.netns)


def create_host_network(host: Host) -> None:
    """Give the host a fresh namespace, wired to the bridge.

    Both ends of the cable are born inside the lab: the machine's namespace never has them.
    """
    remove_host_network(host)
    must(["ip", "netns", "add", host.netns])
    _batch(
        host.lab.netns,
        [
            f"link add {host.name} type veth peer name eth0 address {host.mac} netns {host.netns}",
            f"link set {host.name} master {BRIDGE} up",
        ],
    )
    _batch(
        host.netns,
        [
            "link set lo up",
            f"address add {host.address}/{PREFIX} dev eth0",
            "link set eth0 up",
        ],
    )


def remove_host_network(host: Host) -> None:
    # The namespace takes its cable along some time later; the name must be free at once.
    if namespace_exists(host.lab.netns):
        run(["ip", "-netns", host.lab.netns, "link", "delete", host.name])
    _remove_namespace(host.netns)


def connect(host: Host, port: int) -> socket.socket:
    """Return a socket connected to the host from inside the lab. Raises DialError."""
    outcome: list[socket.socket | dial.DialError] = []

    def work() -> None:
        try:
            outcome.append(dial.connect(host.lab.name, host.name, port))
        except dial.DialError as error:
            outcome.append(error)

    # A thread of its own: a thread cannot be trusted again once it changed its namespace.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], dial.DialError):
        raise outcome[0]
    return outcome[0]


def command_inside(lab: Lab, command: Sequence[str]) -> list[str]:
    """The command that runs `command` in the lab's network, where host names resolve."""
    if not namespace_exists(lab.netns):
        raise LabError("the lab is down; `python -m lab up 1` starts it")
    # /etc/hosts changes for this command alone: its mount namespace dies with it.
    script = 'mount --bind "$1" /etc/hosts; shift; exec "$@"'
    return [
        *["nsenter", f"--net={NAMESPACES / lab.netns}", "--"],
        *["unshare", "--mount", "--propagation", "private", "--"],
        *["sh", "-euc", script, "sh", str(lab.names_file), *command],
    ]
