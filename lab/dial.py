"""Connect to a lab host and hand the connected socket to the caller.

    python -I -S dial.py --fdpass [--lab NAME] HOST PORT

The caller's end of standard output must be a Unix socket, as ssh makes it with
ProxyUseFdpass=yes: one byte arrives with the connected socket attached (ssh_config(5)).
The name is looked up among the lab's own hosts and the connection is made inside the
lab's network namespace, so nothing can leave by the machine's network card.
Run as a script on purpose: every ssh waits for it, so it imports next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
CONNECT_SECONDS = 10.0


class DialError(Exception):
    """No connection; the message says why."""


def address_of(lab: str, host: str) -> str:
    """Return the address of a running lab host. Raises DialError."""
    path = f"/run/{lab}/hosts.txt"
    try:
        with open(path, encoding="ascii") as hosts:  # noqa: PTH123 - pathlib costs 5 ms here
            for line in hosts:
                address, name = line.split()
                if name == host:
                    return address
    except FileNotFoundError:
        raise DialError("the lab is down; `python -m lab up 1` starts it") from None
    raise DialError(f"host {host}: is not running in the lab")


def enter_network(lab: str) -> None:
    """Move this thread into the lab's network namespace. Raises DialError."""
    try:
        namespace = os.open(f"/run/netns/{lab}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DialError("the lab's network is gone; `python -m lab up 1` starts it") from None
    try:
        # os.setns exists from Python 3.12 on.
        if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise DialError(f"entering the lab's network needs root ({reason})")
    finally:
        os.close(namespace)


def connect(lab: str, host: str, port: int) -> socket.socket:
    """Return a socket connected to the host; this thread stays in the lab's network."""
    address = address_of(lab, host)
    enter_network(lab)
    try:
        return socket.create_connection((address, port), timeout=CONNECT_SECONDS)
    except OSError as error:
        raise DialError(f"host {host}, port {port}: {error.strerror or error}") from None


def main(arguments: list[str]) -> int:
    lab = "ssemedic-lab"
    if arguments[1:2] == ["--lab"]:
        lab = arguments[2]
        del arguments[1:3]
    if len(arguments) != 3 or arguments[0] != "--fdpass" or not arguments[2].isdecimal():
        print("usage: dial.py --fdpass [--lab NAME] HOST PORT", file=sys.stderr)
        return 2
    try:
        connection = connect(lab, arguments[1], int(arguments[2]))
    except DialError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    connection.setblocking(True)
    with socket.socket(fileno=os.dup(1)) as caller:
        socket.send_fds(caller, [b"\0"], [connection.fileno()])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
