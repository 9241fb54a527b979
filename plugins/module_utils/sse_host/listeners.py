"""Which socket an address leads to, and which sockets may be an application's."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any, Iterable, Mapping, Optional, Tuple

#: Processes that never are the application behind a stream (names as in /proc/PID/stat).
_INFRASTRUCTURE = re.compile(
    r"nginx|openresty|angie|sshd?|systemd.*|dbus.*|nats-server|redis-.*|valkey-.*|postgres|"
    r"pgbouncer|mysqld|mariadbd|mongod|memcached|chronyd|ntpd|timesyncd|dnsmasq|named|unbound|"
    r"exim4?|master|sendmail|dovecot|rpcbind|rpc\..*|cupsd.*|avahi.*|snmpd|haproxy|apache2|httpd|"
    r"caddy|envoy|containerd|dockerd|init|inetd|xinetd|node_exporter|prometheus|zabbix_.*"
)
_INFRASTRUCTURE_PORTS = frozenset(
    (22, 25, 53, 80, 111, 443, 465, 587, 631, 3306, 4222, 5432, 6222, 6379, 6432, 8222, 27017)
)


def split(address: str) -> Tuple[str, int]:
    """ "host:port" or "[v6]:port" in two; port 0 where there is none. Unix: the path and 0."""
    if address.startswith("unix:"):
        return address[len("unix:") :].rstrip(":"), 0
    host, _colon, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else (address, 0)


def name(authority: str) -> str:
    """The host of a Host header, without its port, in lower case."""
    host, colon, port = authority.lower().rpartition(":")
    return (host if colon and port.isdigit() else authority.lower()).strip("[]")


def is_name(host: str) -> bool:
    """True for what must be resolved to an address first."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and "$" not in host
    return False


def join(host: str, port: int) -> str:
    """An address as the recorder takes it."""
    return "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)


def at(address: str, found: Iterable[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """The listener that a connection to ``address`` reaches; None where nobody listens."""
    host, port = split(address)
    if address.startswith("unix:"):
        return next((x for x in found if x["family"] == "unix" and x["address"] == host), None)
    on_port = [x for x in found if x["port"] == port and x["family"] != "unix"]
    exact = [x for x in on_port if x["address"] == host]
    named = [x for x in on_port if host == "localhost" and _loopback(x["address"])]
    anywhere = [x for x in on_port if x["address"] == "*" and here(address)]
    return next(iter(exact + named + anywhere), None)


def here(address: str) -> bool:
    """True for an address of this host. Names other than localhost are not looked up."""
    host, _port = split(address)
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    if ip.is_loopback or ip.is_unspecified:
        return True
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))  # only our own addresses can be bound; nothing is sent
    except OSError:
        return False
    return True


def candidates(
    found: Iterable[Mapping[str, Any]], preferred: Iterable[str], most: int = 4
) -> list[str]:
    """Addresses at which the application may listen, those of ``preferred`` units first."""
    likely = set(preferred)
    possible = [
        item
        for item in found
        if item["family"] != "unix"
        and (item["address"] == "*" or _loopback(item["address"]))
        and not _INFRASTRUCTURE.fullmatch(item["process"] or "")
        and item["port"] not in _INFRASTRUCTURE_PORTS
    ]
    possible.sort(key=lambda item: (item["unit"] not in likely, item["unit"] is None, item["port"]))
    addresses: list[str] = []
    for item in possible:
        address = reach(item)
        if address not in addresses:
            addresses.append(address)
    return addresses[:most]


def reach(item: Mapping[str, Any]) -> str:
    """Where to connect to reach a listener from its own host."""
    if item["family"] == "unix":
        return "unix:%s" % item["address"]
    if item["address"] == "*":
        return join("127.0.0.1" if item["family"] == "inet" else "::1", item["port"])
    return join(item["address"], item["port"])


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
