"""Message brokers: found by their sockets, units or in the service's settings, and asked gently.

Only what answers without credentials is read: NATS' INFO line and monitoring pages,
Redis' PING and INFO, PostgreSQL's answer to an SSLRequest.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from .masking import mask

_KINDS = {
    "nats-server": "nats",
    "redis-server": "redis",
    "valkey-server": "redis",
    "postgres": "postgresql",
}
_PORTS = {4222: "nats", 6379: "redis", 5432: "postgresql"}
_UNITS = {
    "nats-server.service": "nats",
    "nats.service": "nats",
    "redis-server.service": "redis",
    "redis.service": "redis",
    "valkey-server.service": "redis",
    "valkey.service": "redis",
    "postgresql.service": "postgresql",
}
_DEFAULT_PORTS = {kind: port for port, kind in _PORTS.items()}
_URL = re.compile(
    r"\b(nats|tls|redis|rediss|postgres|postgresql)(?:\+\w+)?://(?:[^\s@/\"']*@)?"
    r"(\[[0-9a-fA-F:]+\]|[\w.\-]+)(?::(\d{1,5}))?"
)
SCHEMES = {
    "nats": "nats",
    "tls": "nats",
    "redis": "redis",
    "rediss": "redis",
    "postgres": "postgresql",
    "postgresql": "postgresql",
}
_REDIS_FACTS = (
    "redis_version",
    "connected_clients",
    "blocked_clients",
    "maxclients",
    "pubsub_channels",
    "pubsub_patterns",
    "rejected_connections",
    "client_output_buffer_limit_disconnections",
    "uptime_in_seconds",
    "used_memory",
    "maxmemory",
    "role",
)
_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """A broker to ask: ``address`` is "host:port", ``found`` says how we know of it."""

    kind: str
    address: str
    unit: str | None
    found: str


def default_port(kind: str) -> int:
    """Where a broker of that kind listens if nobody says otherwise."""
    return _DEFAULT_PORTS[kind]


def installed_units(unit_files: Iterable[str]) -> list[str]:
    """The units of brokers that are installed, running or not."""
    return sorted(name for name in unit_files if name in _UNITS)


def kind_of(listener: Mapping[str, Any]) -> str | None:
    """The kind of broker behind a listening socket, None for anything else."""
    if listener["family"] == "unix":
        return None
    kind = _KINDS.get(listener["process"] or "") or _PORTS.get(listener["port"])
    return kind if kind and listener["port"] == _DEFAULT_PORTS[kind] else None


def find(
    listeners: Iterable[Mapping[str, Any]],
    wanted_units: Iterable[str],
    settings: Mapping[str, str],
    named: Iterable[Mapping[str, str]],
) -> list[Place]:
    """Every broker of this host.

    ``wanted_units`` are broker units that should run; ``settings`` is unit -> text that may
    hold a broker's URL; ``named`` come from the inventory.
    """
    places = [
        Place(item["kind"], item["address"], None, "the inventory names it") for item in named
    ]
    for unit, text in settings.items():
        for kind, address in urls(text):
            places.append(Place(kind, address, None, "the settings of %s name it" % unit))
    for item in listeners:
        listening = kind_of(item)
        if listening:
            places.append(Place(listening, _reach(item), item["unit"], "it listens"))
    kinds = {place.kind for place in places}
    for name in installed_units(wanted_units):
        if _UNITS[name] not in kinds:
            address = "127.0.0.1:%d" % _DEFAULT_PORTS[_UNITS[name]]
            places.append(Place(_UNITS[name], address, name, "its unit is enabled"))
    return _distinct(places)


def urls(text: str) -> list[tuple[str, str]]:
    """Kind and "host:port" of every broker URL in a text; user and password are left behind."""
    found = []
    for scheme, host, port in _URL.findall(text):
        kind = SCHEMES[scheme]
        found.append((kind, "%s:%s" % (host, port or _DEFAULT_PORTS[kind])))
    return found


def _distinct(places: Iterable[Place]) -> list[Place]:
    """One per socket: "localhost", "127.0.0.1" and "*" are the same broker."""
    distinct: dict[tuple[str, str], Place] = {}
    for place in places:
        host, _colon, port = place.address.rpartition(":")
        key = (place.kind, ("here" if host in ("localhost", "127.0.0.1", "[::1]") else host) + port)
        known = distinct.get(key)
        if known is None:
            distinct[key] = place
        elif known.unit is None and place.unit is not None:
            distinct[key] = Place(known.kind, known.address, place.unit, known.found)
    return list(distinct.values())


def _reach(item: Mapping[str, Any]) -> str:
    address = item["address"]
    if address == "*":
        address = "127.0.0.1"
    elif ":" in address:
        address = "[%s]" % address
    return "%s:%d" % (address, item["port"])


def ask(place: Place, monitoring: bool, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """One broker as `Broker` data. ``monitoring``: NATS' HTTP port 8222 listens here."""
    talks: dict[str, Callable[[socket.socket], tuple[str, dict[str, Any]]]] = {
        "nats": _nats,
        "redis": _redis,
        "postgresql": _postgresql,
    }
    facts: dict[str, Any] = {"found": place.found}
    reachable, detail = True, ""
    try:
        with _connect(place.address) as connection:
            try:
                detail, more = talks[place.kind](connection)
                facts.update(more)
            except (OSError, ValueError) as error:
                detail = "connected, but it does not talk %s: %s" % (place.kind, error)
    except (OSError, ValueError) as error:
        reachable, detail = False, "%s: %s" % (place.address, error)
    if place.kind == "nats" and reachable and monitoring:
        facts.update(_nats_monitoring())
    return {
        "kind": place.kind,
        "address": place.address,
        "unit": place.unit,
        "reachable": reachable,
        "detail": mask(detail, secrets)[:500],
        "facts": facts,
    }


def _connect(address: str) -> socket.socket:
    host, _colon, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), _SECONDS)
    connection.settimeout(_SECONDS)
    return connection


def _nats(connection: socket.socket) -> tuple[str, dict[str, Any]]:
    """INFO is the first thing a NATS server says (NATS client protocol)."""
    line = _until(connection, b"\r\n", 65536)
    if not line.startswith(b"INFO "):
        raise ValueError("its first line is not INFO")
    told = json.loads(line[5:])
    names = ("version", "server_name", "max_payload", "auth_required", "tls_required", "jetstream")
    return "NATS %s" % told.get("version", ""), {name: told[name] for name in names if name in told}


def _nats_monitoring() -> dict[str, Any]:
    """Counts and subjects from the monitoring pages; what does not answer is left out."""
    server, subs = nats_page("/varz"), nats_page("/connz?subs=1&limit=256")
    names = ("connections", "subscriptions", "slow_consumers", "in_msgs", "out_msgs", "start")
    facts = {name: server[name] for name in names if name in server}
    subjects: dict[str, int] = {}
    for client in subs.get("connections", []):
        for subject in client.get("subscriptions_list") or []:
            if not subject.startswith(("$", "_INBOX.")):
                subjects[subject] = subjects.get(subject, 0) + 1
    if "connections" in subs:
        facts["clients"] = [
            {key: client.get(key) for key in ("cid", "name", "lang", "start", "subscriptions")}
            for client in subs["connections"][:64]
        ]
        facts["subjects"] = dict(sorted(subjects.items())[:256])
    return facts


def nats_page(path: str) -> dict[str, Any]:
    """One page of NATS' monitoring as data, {} where it does not answer."""
    try:
        with _connect("127.0.0.1:8222") as connection:
            request = "GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n" % path
            connection.sendall(request.encode("ascii"))
            answer = _until(connection, None, 1024 * 1024)
        page = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):
        return {}
    return page if isinstance(page, dict) else {}


def _redis(connection: socket.socket) -> tuple[str, dict[str, Any]]:
    connection.sendall(b"PING\r\n")
    pong = _until(connection, b"\r\n", 4096)
    if not pong.startswith((b"+PONG", b"-NOAUTH", b"-DENIED", b"-ERR", b"-LOADING")):
        raise ValueError("its answer to PING is not Redis'")
    if not pong.startswith(b"+PONG"):
        return pong.decode("utf-8", "replace").strip(), {}
    connection.sendall(b"INFO\r\n")
    size = _until(connection, b"\r\n", 4096)
    if not size.startswith(b"$"):
        return "Redis answers PING but not INFO", {}
    told = _until(connection, None, int(size[1:]) + 2).decode("utf-8", "replace")
    values = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    facts = {name: values[name] for name in _REDIS_FACTS if name in values}
    return "Redis %s" % values.get("redis_version", ""), facts


def _postgresql(connection: socket.socket) -> tuple[str, dict[str, Any]]:
    """SSLRequest is answered by one byte, S or N (PostgreSQL protocol 3, 55.2.11)."""
    connection.sendall(struct.pack("!ii", 8, 80877103))
    answer = connection.recv(1)
    if answer not in (b"S", b"N"):
        raise ValueError("its answer to SSLRequest is not PostgreSQL's")
    return "PostgreSQL answers", {"tls": answer == b"S"}


def _until(connection: socket.socket, mark: bytes | None, most: int) -> bytes:
    """Bytes up to ``mark`` and not past it, or up to the end; at most ``most`` of them."""
    data = bytearray()
    deadline = time.monotonic() + 2 * _SECONDS
    while len(data) < most and time.monotonic() < deadline:
        # One by one before a mark: what follows it belongs to the next reader.
        part = connection.recv(1 if mark else min(65536, most - len(data)))
        if not part:
            break
        data += part
        if mark and data.endswith(mark):
            return bytes(data[: -len(mark)])
    return bytes(data)
