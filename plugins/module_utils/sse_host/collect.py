"""The whole collection: one pass over the host, the streams beside it."""

from __future__ import annotations

import functools
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import (
    background,
    brokers,
    clock,
    listeners,
    logs,
    nginx,
    proc,
    processes,
    resources,
    sockets,
    streams,
    system,
    units,
)
from .wanted import Wanted

SCHEMA = 1
_STREAM_GRACE = 8.0  # seconds past the window for connecting, TLS and slow machines


class Host:
    """What is known of the host so far; each step adds to it and none needs all of it."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.limits = wanted.limits
        self.secrets = wanted.secrets
        self.missing: Dict[str, str] = {}
        self.deadline = time.monotonic() + self.limits.total_seconds
        self.table: Dict[int, proc.Proc] = {}
        self.opened = proc.OpenFiles({}, {}, 0)
        self.tcp: List[sockets.Socket] = []
        self.listeners: Optional[List[Dict[str, Any]]] = None
        self.unit_files: Dict[str, str] = {}
        self.instance: Optional[nginx.Instance] = None
        self.built: Optional[nginx.Build] = None
        self.config: Optional[nginx.Config] = None
        self.way = streams.Way()

    def now(self, source: str, work: Any) -> Any:
        """`background.now` with this host's reasons."""
        return background.now(source, work, self.missing)

    def start(self, source: str, work: Any) -> background.Attempt[Any]:
        """`background.start` with this host's reasons."""
        return background.start(source, work, self.missing)


def collect(wanted: Wanted) -> Dict[str, Any]:
    """`Evidence` as plain data. Never raises for what the host is or does not have."""
    began, collected_at = time.monotonic(), time.time()
    host = Host(wanted)
    host.now("streams", lambda: streams.check(wanted))
    virtualization = host.start(
        "virtualization", lambda: system.virtualization(host.limits.command_seconds)
    )
    backlogs = host.start("backlogs", lambda: sockets.backlogs(host.limits.command_seconds))
    _see_processes(host)
    tested = _see_nginx(host)
    recording = _record(host)
    host.unit_files = host.now("unit_files", units.installed) or {}
    names = _units_that_matter(host)
    shown = host.start("units", lambda: units.show(_to_show(host, names), host.limits))
    journal = host.start("journal", lambda: logs.journal(names, host.limits, host.secrets))
    found_logs = _log_files(host)
    asked = _ask_brokers(host, shown)

    about = host.now("system", system.read)
    if about is not None:
        about["virtualization"] = virtualization.value(host.deadline)
    blocks = shown.value(host.deadline)
    matter = _matching_units(host, blocks, names)
    evidence: Dict[str, Any] = {
        "schema": SCHEMA,
        "host": about["hostname"] if about else "",
        "collected_at": collected_at,
        "system": about,
        "units": matter,
        "listeners": _with_backlogs(host, backlogs),
        "processes": host.now("processes", lambda: _processes(host, matter or [])),
        "resources": host.now("resources", lambda: resources.read(sockets.states(host.tcp))),
        "clock": host.now("clock", lambda: clock.read(_time_services(blocks))),
        "nginx": host.now("nginx", lambda: _nginx(host, tested)) if host.built else None,
    }
    answered, reasons = journal.value(host.deadline) or ([], {})
    host.missing.update(reasons)
    evidence["logs"] = answered + found_logs
    evidence["brokers"] = _answers(host, asked)
    evidence["seconds"] = round(time.monotonic() - began, 3)
    end = time.monotonic() + wanted.window + _STREAM_GRACE
    evidence["streams"] = recording.value(end) if recording is not None else None
    evidence["missing"] = dict(sorted(host.missing.items()))
    return evidence


def _see_processes(host: Host) -> None:
    host.table = host.now("processes", proc.table) or {}
    host.tcp = host.now("listeners", sockets.tcp) or []


def _see_nginx(host: Host) -> Optional[background.Attempt[Any]]:
    """Find nginx and read its configuration; the answer of nginx -t comes later."""
    instance = host.instance = host.now("nginx", lambda: nginx.locate(host.table))
    if instance is None:
        return None
    built = host.built = host.now("nginx", lambda: nginx.build(instance, host.limits))
    if built is None:
        return None
    main = nginx.main_file(instance, built)
    tested = host.start("nginx.test", lambda: nginx.test(instance, main, host.limits))
    config = host.config = host.now("nginx.tree", lambda: nginx.configuration(main, host.limits))
    if config is not None:
        host.missing.update(config.missing)
    url = host.wanted.url
    if config is not None and config.tree is not None and url and "streams" not in host.missing:
        tree = config.tree
        host.way = host.now("route", lambda: streams.way(tree, url, built.version)) or host.way
    return tested


def _record(host: Host) -> Optional[background.Attempt[Any]]:
    """Begin the streams as early as the way is known; then see who owns the sockets."""
    wanted, way = host.wanted, host.way
    target = wanted.upstream or way.target
    early = streams.Recording(wanted, way, target)
    if "streams" not in host.missing:
        early.begin()
    host.opened = host.now("open_files", lambda: proc.open_files(host.table)) or host.opened
    if "listeners" not in host.missing:
        found = host.listeners = sockets.listeners(
            host.tcp, sockets.unix(), host.table, host.opened
        )
        if host.opened.refused and any(item["pid"] is None for item in found):
            host.missing["listeners.owners"] = (
                "which process owns a socket of another user is seen by root only"
            )
        if early.begun and not wanted.upstream and _leads_nowhere(target, found):
            early.try_elsewhere(listeners.candidates(found, _likely_units(host)))
    return host.start("streams", early.result) if early.begun else None


def _leads_nowhere(target: Optional[str], found: Sequence[Mapping[str, Any]]) -> bool:
    """True if nginx does not proxy the URL, or proxies it to where nobody on this host listens."""
    if target is None:
        return True
    return listeners.here(target) and listeners.at(target, found) is None


def _likely_units(host: Host) -> List[str]:
    named = [units.service(host.wanted.unit)] if host.wanted.unit else []
    return named + units.matching(units.installed(), host.wanted.patterns)


def _app_unit(host: Host) -> Optional[str]:
    target = host.wanted.upstream or host.way.target
    listener = listeners.at(target, host.listeners or []) if target else None
    return listener["unit"] if listener else None


def _units_that_matter(host: Host) -> List[str]:
    """By importance: named, nginx, behind the socket, by name, brokers, by the port they name."""
    names = [units.service(host.wanted.unit)] if host.wanted.unit else []
    app = _app_unit(host)
    names += [app] if app else []
    if host.instance is not None:
        fallback = next((name for name in units.NGINX if name in host.unit_files), None)
        running = host.instance.unit if host.instance.master is not None else None
        names += [name for name in (running or fallback,) if name]
    names += units.matching(host.unit_files, host.wanted.patterns)
    names += brokers.installed_units(host.unit_files)
    names += [item["unit"] for item in host.listeners or [] if brokers.kind_of(item)]
    if app is None and not host.wanted.unit:
        names += _unlistening(host)
    distinct = [name for name in dict.fromkeys(names) if name and name.endswith(".service")]
    return distinct[: host.limits.units]


def _unlistening(host: Host) -> List[str]:
    """Nobody listens behind nginx: a unit that an admin wrote may be the one that should."""
    own = units.made_by_admin(host.unit_files)
    target = host.wanted.upstream or host.way.target
    port = listeners.split(target)[1] if target else 0
    clue = str(port) if port else target[len("unix:") :] if target else ""
    return (units.mentioning(host.unit_files, own, clue) if clue else []) + own


def _to_show(host: Host, names: Sequence[str]) -> List[str]:
    services = [name for name in clock.SERVICES if name in host.unit_files]
    return [*names, *services, *map(units.service, host.wanted.patterns)]


def _matching_units(
    host: Host, blocks: Optional[Sequence[Mapping[str, str]]], names: Sequence[str]
) -> Optional[List[Dict[str, Any]]]:
    if blocks is None:
        return None
    named = units.service(host.wanted.unit) if host.wanted.unit else None
    chosen = [
        block
        for block in blocks
        if (block.get("LoadState") != "not-found" or block["Id"] == named)
        and (block["Id"] in names or units.matching([block["Id"]], host.wanted.patterns))
    ]
    described = [units.describe(block, host.limits, host.secrets) for block in chosen]
    return described[: host.limits.units]


def _time_services(
    blocks: Optional[Sequence[Mapping[str, str]]],
) -> Optional[List[Mapping[str, str]]]:
    if blocks is None:
        return None
    return [block for block in blocks if block["Id"] in clock.SERVICES]


def _log_files(host: Host) -> List[Dict[str, Any]]:
    """Kernel, nginx and named log files. Requests are kept only where they are ours."""
    limits, secrets = host.limits, host.secrets
    found = [host.now("kernel", lambda: logs.kernel(limits, secrets))]
    paths: List[Tuple[str, Optional[str]]] = [(path, None) for path in host.wanted.log_files]
    if host.config is not None and host.built is not None and host.instance is not None:
        named = nginx.log_paths(host.config.contents, host.built, host.instance.prefix)
        paths += [(path, None) for path in named["error_log"]]
        paths += [(path, host.wanted.path) for path in named["access_log"]]
    for path, word in list(dict(reversed(paths)).items())[: limits.logs]:
        found.append(host.now(path, functools.partial(logs.file, path, limits, secrets, word)))
    return [log for log in found if log is not None]


def _ask_brokers(host: Host, shown: background.Attempt[Any]) -> List[background.Attempt[Any]]:
    app = _app_unit(host)
    blocks = shown.value(host.deadline) or []
    enabled = [block["Id"] for block in blocks if block.get("UnitFileState") == "enabled"]
    settings = {}
    for block in blocks:
        ours = block["Id"] == app or units.matching([block["Id"]], host.wanted.patterns)
        if ours and not brokers.installed_units([block["Id"]]):
            settings[block["Id"]] = units.environment(block)
    found = host.listeners or []
    places = brokers.find(found, enabled, settings, host.wanted.brokers)
    monitoring = any(item["port"] == 8222 for item in found)
    return [
        host.start(
            "broker:" + place.address,
            functools.partial(brokers.ask, place, monitoring, host.secrets),
        )
        for place in places[:8]
    ]


def _answers(host: Host, asked: Sequence[background.Attempt[Any]]) -> List[Dict[str, Any]]:
    answers = [attempt.value(host.deadline) for attempt in asked]
    return [answer for answer in answers if answer is not None]


def _with_backlogs(host: Host, attempt: background.Attempt[Any]) -> Optional[List[Dict[str, Any]]]:
    known = attempt.value(host.deadline)
    if host.listeners is not None and known:
        sockets.add_backlogs(host.listeners, known)
    return host.listeners


def _processes(host: Host, matter: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """nginx, what runs in the units that matter, and who listens behind nginx."""
    pids: List[int] = []
    if host.instance is not None and host.instance.master is not None:
        pids += [host.instance.master, *host.instance.workers]
    target = host.wanted.upstream or host.way.target
    listener = listeners.at(target, host.listeners or []) if target else None
    pids += [listener["pid"]] if listener and listener["pid"] else []
    pids += processes.of_units([unit["name"] for unit in matter], host.table)
    if host.opened.refused:
        host.missing["processes.open_files"] = (
            "open files of %d processes of other users are seen by root only" % host.opened.refused
        )
    return processes.describe(
        list(dict.fromkeys(pids))[: host.limits.processes],
        host.table,
        host.opened,
        sockets.states_by_pid(host.tcp, host.opened),
        host.secrets,
    )


def _nginx(host: Host, tested: Optional[background.Attempt[Any]]) -> Dict[str, Any]:
    assert host.instance is not None
    assert host.built is not None
    config = host.config or nginx.Config(nginx.main_file(host.instance, host.built), {}, None, {})
    outcome = (tested.value(host.deadline) if tested else None) or (None, "")
    if outcome[0] is None:
        host.missing.setdefault("nginx.test", outcome[1] or "nginx -t was not run")
    instance = host.instance
    if instance.unit is None and instance.master is None:
        name = next((name for name in units.NGINX if name in host.unit_files), None)
        instance = nginx.Instance(instance.binary, None, instance.main, instance.prefix, unit=name)
    return nginx.describe(instance, host.built, config, outcome, host.table, host.opened)
