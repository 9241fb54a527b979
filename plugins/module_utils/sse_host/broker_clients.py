"""Who is connected to a broker, and what each connection hears, while the streams are open.

NATS tells by its monitoring pages, Redis by CLIENT LIST, PostgreSQL by pg_stat_activity. A
connection belongs to the process that holds the socket with its port.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import broker_talk, proc, sockets
from .broker_login import Login
from .brokers import Place, nats_page
from .command import run
from .limits import UnavailableError
from .masking import mask

MOST = 200
SUBJECTS = 64
_HIDDEN = ("$", "_INBOX.")
_LISTEN = re.compile(r'(?i)^\s*listen\s+"?([\w.\-:/]+)"?\s*;?\s*$')
#: What is asked of PostgreSQL; the last statement is cut, it may be long.
_ACTIVITY = (
    "select pid, coalesce(client_port, -1), application_name, datname, state, "
    "coalesce(wait_event, ''), extract(epoch from backend_start), left(query, 200) "
    "from pg_stat_activity where backend_type = 'client backend' "
    "and pid <> pg_backend_pid() limit 200"
)
_QUEUE = "select pg_notification_queue_usage()"

Owner = Tuple[int, str, Optional[str]]  # pid, name of the process, unit


def owners() -> Dict[int, Owner]:
    """Local TCP port -> the process that holds the connection, as far as we may see."""
    table = proc.table()
    files = proc.open_files(table)
    found: Dict[int, Owner] = {}
    for item in sockets.tcp():
        pids = files.sockets.get(item.inode, []) if item.state == "ESTABLISHED" else []
        if pids:
            pid = sockets.owner(pids, table)
            if pid is not None and item.port not in found:
                found[item.port] = (pid, table[pid].name, proc.unit(pid))
    return found


def by_sockets(port: int, root: str = proc.PROC) -> List[Dict[str, Any]]:
    """The connections of this host's processes to a port, where the broker lets nobody ask."""
    table = proc.table()
    files = proc.open_files(table)
    clients = []
    for name in ("tcp", "tcp6"):
        try:
            with open("%s/net/%s" % (root, name), encoding="ascii", errors="replace") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if len(fields) < 10 or fields[3] != "01" or not fields[2].endswith(":%04X" % port):
                continue
            pid = sockets.owner(files.sockets.get(int(fields[9]), []), table)
            owner = (pid, table[pid].name, proc.unit(pid)) if pid is not None else None
            clients.append(
                {
                    **_whose("", "", owner),
                    "since": None,
                    "subscriptions": None,
                    "subjects": [],
                    "delivered": None,
                    "sent": None,
                    "pending_bytes": None,
                    "doing": "",
                }
            )
    return clients[:MOST]


def of_nats(held: Mapping[int, Owner]) -> Tuple[Optional[List[Dict[str, Any]]], Dict[str, Any]]:
    """The clients as `BrokerClient` data, None without monitoring, and facts of the server."""
    page = nats_page("/connz?subs=1&limit=256")
    if "connections" not in page:
        return None, {}
    heard: Dict[Tuple[Any, str], int] = {}
    for sub in nats_page("/subsz?subs=1&limit=4096").get("subscriptions_list") or []:
        heard[(sub.get("cid"), str(sub.get("subject")))] = int(sub.get("msgs") or 0)
    clients = []
    for told in page["connections"][:MOST]:
        if told.get("name") == broker_talk.NAME:
            continue
        subjects = [s for s in told.get("subscriptions_list") or [] if not s.startswith(_HIDDEN)]
        counts = [heard.get((told.get("cid"), s)) for s in subjects]
        known = [count for count in counts if count is not None]
        clients.append(
            {
                **_client(str(told.get("name") or told.get("lang") or ""), told, held),
                "since": epoch(str(told.get("start") or "")),
                "subscriptions": len(subjects),
                "subjects": subjects[:SUBJECTS],
                "delivered": sum(known) if known or not subjects else None,
                "sent": _whole(told.get("in_msgs")),
                "pending_bytes": _whole(told.get("pending_bytes")),
                "doing": "",
            }
        )
    server = nats_page("/varz")
    return clients, {key: server[key] for key in ("in_msgs", "out_msgs") if key in server}


def _client(name: str, told: Mapping[str, Any], held: Mapping[int, Owner]) -> Dict[str, Any]:
    port = _whole(told.get("port")) or 0
    return _whose(name, "%s:%d" % (told.get("ip", ""), port), held.get(port))


def _whose(name: str, address: str, owner: Optional[Owner]) -> Dict[str, Any]:
    pid, process, unit = owner if owner is not None else (None, "", None)
    return {"name": name[:64], "address": address, "pid": pid, "unit": unit, "process": process}


def of_redis(
    place: Place, login: Optional[Login], held: Mapping[int, Owner], deadline: float
) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
    """The clients, and the channels with their subscribers. Raises `UnavailableError`."""
    try:
        with broker_talk.redis(place.address, login, deadline) as talk:
            told = broker_talk.ask(talk, "CLIENT", "LIST").decode("utf-8", "replace")
            facts = _redis_facts(talk)
    except (OSError, ValueError, AttributeError, broker_talk.RefusedError) as error:
        raise UnavailableError("Redis at %s: %s" % (place.address, error)) from error
    clients = []
    for line in told.splitlines()[:MOST]:
        fields = dict(part.partition("=")[::2] for part in line.split())
        if fields.get("name") == broker_talk.NAME:
            continue
        address = fields.get("addr", "")
        port = _whole(address.rpartition(":")[2]) or 0
        heard = sum(_whole(fields.get(key)) or 0 for key in ("sub", "psub", "ssub"))
        clients.append(
            {
                **_whose(fields.get("name", ""), address, held.get(port)),
                "since": None,
                "subscriptions": heard,
                "subjects": [],
                "delivered": None,
                "sent": None,
                "pending_bytes": _whole(fields.get("omem")),
                "doing": fields.get("cmd", "")[:40],
            }
        )
    return clients, facts


def _redis_facts(talk: broker_talk.Talk) -> Dict[str, Any]:
    """Channels, patterns and the limits that matter; what Redis refuses is left out."""
    facts: Dict[str, Any] = {}
    names = broker_talk.ask(talk, "PUBSUB", "CHANNELS")[:SUBJECTS]
    channels = [name.decode("utf-8", "replace") for name in names]
    counted = broker_talk.ask(talk, "PUBSUB", "NUMSUB", *channels) if channels else []
    facts["channels"] = {name: counted[2 * at + 1] for at, name in enumerate(channels)}
    facts["patterns"] = broker_talk.ask(talk, "PUBSUB", "NUMPAT")
    for name in ("client-output-buffer-limit", "maxclients"):
        try:
            pair = broker_talk.ask(talk, "CONFIG", "GET", name)
        except broker_talk.RefusedError:
            continue
        if len(pair) == 2:
            facts[name] = pair[1].decode("utf-8", "replace")
    return facts


def of_postgresql(
    held: Mapping[int, Owner], seconds: float, secrets: Sequence[str]
) -> Tuple[List[Dict[str, Any]], Dict[str, Any]]:
    """The sessions as the operating system's postgres sees them. Raises `UnavailableError`."""
    argv = ["runuser", "-u", "postgres", "--", "psql", "-XAtqw", "-F", "\x1f"]
    output = run([*argv, "-c", _ACTIVITY, "-c", _QUEUE], seconds, 1024 * 1024)
    if output.status:
        raise UnavailableError("psql as postgres: %s" % output.complaint)
    lines = output.stdout.decode("utf-8", "replace").splitlines()
    clients = [
        _session(line.split("\x1f"), held, secrets) for line in lines if line.count("\x1f") == 7
    ]
    usage = [line for line in lines if re.fullmatch(r"\d(\.\d+)?(e-\d+)?", line)]
    return clients, {"notification_queue_usage": float(usage[-1])} if usage else {}


def _session(
    fields: Sequence[str], held: Mapping[int, Owner], secrets: Sequence[str]
) -> Dict[str, Any]:
    _pid, port, name, database, state, waits, since, query = fields
    heard = _LISTEN.match(query)
    return {
        **_whose(name, "port %s" % port if port != "-1" else "local", held.get(int(port))),
        "since": float(since) if since else None,
        "subscriptions": 1 if heard else None,
        "subjects": [heard.group(1)] if heard else [],
        "delivered": None,
        "sent": None,
        "pending_bytes": None,
        "doing": mask("%s %s %s: %s" % (database, state, waits, query), secrets)[:200],
    }


def epoch(text: str) -> Optional[float]:
    """Epoch seconds of an RFC 3339 time with any number of decimals; None for anything else."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$", text)
    if not found:
        return None
    zone = "+00:00" if found.group(3) == "Z" else found.group(3)
    whole = datetime.datetime.strptime(
        found.group(1) + zone.replace(":", ""), "%Y-%m-%dT%H:%M:%S%z"
    )
    return round(whole.timestamp() + float(found.group(2) or 0), 3)


def _whole(value: Any) -> Optional[int]:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
