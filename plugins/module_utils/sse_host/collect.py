"""The whole collection: one pass over the host, the streams beside it, the logs at the end."""

from __future__ import annotations

import functools
import os
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..sse_change import pending
from . import (
    background,
    broker_session,
    brokers,
    clock,
    exposed,
    firewall,
    listeners,
    log_sources,
    logs,
    matter,
    names,
    nginx,
    proc,
    processes,
    resources,
    sockets,
    streams,
    stuck,
    system,
    tuning,
    units,
)
from .host import Host
from .limits import UnavailableError
from .wanted import Wanted

SCHEMA = 1
#: Where auditd keeps what SELinux and AppArmor refused; without it the kernel's log has it.
AUDIT_LOG = "/var/log/audit/audit.log"
_STREAM_GRACE = 8.0  # seconds past the window for connecting, TLS and slow machines

Attempt = background.Attempt[Any]


def collect(wanted: Wanted) -> Dict[str, Any]:
    """`Evidence` as plain data. Never raises for what the host is or does not have."""
    began, collected_at = time.monotonic(), time.time()
    host = Host(wanted)
    host.now("streams", lambda: streams.check(wanted))
    recording, session, names, evidence = _look(host)
    looked = time.monotonic() - began
    end = time.monotonic() + wanted.window + _STREAM_GRACE
    evidence["streams"] = recording.value(end) if recording is not None else None
    session.finish(evidence)
    _look_again(host, evidence["resources"])

    # Only now: what the host logged about our own streams says why they went as they did.
    again = time.monotonic()
    host.give_time()
    evidence["logs"] = _logs(host, names)
    logs_of_host = evidence["logs"]
    evidence["log_scans"] = host.now(
        "log_scans", lambda: log_sources.scans(host, names, logs_of_host, collected_at)
    )
    evidence["schema"] = SCHEMA
    evidence["host"] = evidence["system"]["hostname"] if evidence["system"] else ""
    evidence["collected_at"] = collected_at
    evidence["seconds"] = round(looked + time.monotonic() - again, 3)
    evidence["missing"] = dict(sorted(host.missing.items()))
    return evidence


def _look(
    host: Host,
) -> Tuple[Optional[Attempt], broker_session.Session, List[str], Dict[str, Any]]:
    """Begin the streams as early as possible; meanwhile everything but the logs."""
    seconds = host.limits.command_seconds
    virtualization = host.start("virtualization", lambda: system.virtualization(seconds))
    backlogs = host.start("backlogs", lambda: sockets.backlogs(seconds))
    filters = host.start("firewall", lambda: firewall.read(host.limits))
    host.table = host.now("processes", proc.table) or {}
    host.tcp = host.now("listeners", sockets.tcp) or []
    tested = _see_nginx(host)
    crowd = _clients(host)
    resolving = _resolve(host)
    kept = _tokens_kept(host)
    host.unit_files = host.now("unit_files", units.installed) or {}
    under_way, recording = _record(host)
    host.queues = stuck.Queues(host.table, host.opened)
    matters = matter.names(host)
    shown = host.start("units", lambda: units.show(matter.to_show(host, matters), host.limits))
    about = host.now("system", system.read)
    blocks = shown.value(host.deadline)
    asked, session = _ask_brokers(host, blocks, under_way)
    described = host.now("units", lambda: matter.described(host, blocks, matters))
    evidence: Dict[str, Any] = {
        "units": described,
        "processes": host.now("processes", lambda: _processes(host, described or [])),
        "resources": host.now("resources", lambda: _resources(host, blocks)),
        "firewall": filters.value(host.deadline),
        "clock": host.now("clock", lambda: clock.read(matter.time_services(blocks))),
        "nginx": host.now("nginx", lambda: _nginx(host, tested)) if host.built else None,
        "listeners": _with_backlogs(host, backlogs),
        "names": resolving.value(host.deadline) if resolving else None,
        "exposed": kept.value(host.deadline) if kept else None,
        "brokers": [x for x in (one.value(host.deadline) for one in asked) if x is not None],
        "system": about,
        "changes": host.now("changes", _earlier_changes),
    }
    if evidence["nginx"] is not None and crowd is not None:
        evidence["nginx"]["streams_by_client"] = crowd.value(host.deadline)
    if about is not None:
        about["virtualization"] = virtualization.value(host.deadline)
    return recording, session, matters, evidence


def _look_again(host: Host, found: Optional[Dict[str, Any]]) -> None:
    """What became of the counters and of the clients' queues while the streams were recorded."""
    if found is None:
        return
    found["grown"] = tuning.grown(found["counters"], tuning.counters())
    found["stuck"] = host.now("resources.stuck", host.queues.since) or []


def _earlier_changes() -> List[Dict[str, Any]]:
    """What earlier changes left here; their journals are for root alone."""
    try:
        return pending.pending()
    except PermissionError as error:
        raise UnavailableError("what was changed here before is seen by root only") from error


def _see_nginx(host: Host) -> Optional[Attempt]:
    """Find nginx, read its configuration, follow the URL; the answer of nginx -t comes later."""
    instance = host.instance = host.now("nginx", lambda: nginx.locate(host.table))
    if instance is None:
        return None
    built = host.built = host.now("nginx", lambda: nginx.build(instance, host.limits))
    if built is None:
        return None
    main = nginx.main_file(instance, built)
    config = host.config = host.now("nginx.tree", lambda: nginx.configuration(main, host.limits))
    if config is None:
        return None
    host.missing.update(config.missing)
    opens = nginx.opened_files(config, built, instance.prefix)
    tested = host.start("nginx.test", lambda: nginx.test(instance, main, opens, host.limits))
    tree, url = config.tree, host.wanted.url
    if tree is not None and url and host.records_streams:
        parameter = host.wanted.token_parameter if host.wanted.token else ""
        led = host.now("route", lambda: streams.way(tree, url, built.version, parameter))
        host.way = led or host.way
    return tested


def _clients(host: Host) -> Optional[Attempt]:
    """Count the streams that clients hold already, before ours are among them."""
    port = listeners.split(host.way.listen)[1] if host.way.listen else 0
    if not port:
        return None
    seconds = host.limits.command_seconds
    return host.start("nginx.clients", lambda: sockets.streams_by_client(port, seconds))


def _tokens_kept(host: Host) -> Optional[Attempt]:
    """Count the tokens in the access logs of the URL; our own streams are not there yet."""
    logs_of_url = host.way.access_logs
    if not logs_of_url or host.built is None or host.instance is None:
        return None
    prefix = host.instance.prefix or host.built.prefix
    paths = [os.path.normpath(os.path.join(prefix, path)) for path in logs_of_url]
    parameters = [host.wanted.token_parameter]
    return host.start("exposed", lambda: exposed.count(paths, parameters))


def _resolve(host: Host) -> Optional[Attempt]:
    """Look up the names of the upstreams as the host knows them now."""
    if host.config is None or host.config.tree is None or not host.wanted.url:
        host.missing["names"] = "the names of nginx's upstreams are not known"
        return None
    wanted = host.way.names
    return host.start("names", lambda: names.resolved(wanted, host.limits))


def _record(host: Host) -> Tuple[Optional[streams.Recording], Optional[Attempt]]:
    """Begin the streams, then see who owns the sockets, and try elsewhere if nobody does."""
    recording = streams.Recording(host.wanted, host.way, host.target)
    if host.records_streams:
        recording.begin()
    host.opened = host.now("open_files", lambda: proc.open_files(host.table)) or host.opened
    if "listeners" not in host.missing:
        host.listeners = host.now("listeners", lambda: _listeners(host))
    if not recording.begun:
        return None, None
    if host.listeners and not host.wanted.upstream:
        addresses = listeners.candidates(host.listeners, matter.likely(host))
        if _leads_nowhere(host):
            recording.try_elsewhere(addresses)
        else:
            recording.try_elsewhere_in_doubt(addresses)
    return recording, host.start("streams", recording.result)


def _leads_nowhere(host: Host) -> bool:
    """True if nginx does not proxy the URL, or proxies it to where nobody on this host listens."""
    return host.target is None or (listeners.here(host.target) and host.app_listener is None)


def _listeners(host: Host) -> List[Dict[str, Any]]:
    found = sockets.listeners(host.tcp, sockets.unix(), host.table, host.opened)
    if host.opened.refused and any(item["pid"] is None for item in found):
        host.missing["listeners.owners"] = (
            "which process owns a socket of another user is seen by root only"
        )
    return found


def _with_backlogs(host: Host, attempt: Attempt) -> Optional[List[Dict[str, Any]]]:
    known = attempt.value(host.deadline)
    if host.listeners is not None and known:
        sockets.add_backlogs(host.listeners, known)
    return host.listeners


def _ask_brokers(
    host: Host, blocks: matter.Blocks, recording: Optional[streams.Recording]
) -> Tuple[List[Attempt], broker_session.Session]:
    found = host.listeners or []
    enabled = [block["Id"] for block in blocks or () if block.get("UnitFileState") == "enabled"]
    settings = host.now("settings", lambda: matter.settings(host, blocks)) or {}
    monitoring = any(item["port"] == 8222 for item in found)
    places = brokers.find(found, enabled, settings, host.wanted.brokers)[:8]
    asked = [
        host.start(
            "broker:" + place.address,
            functools.partial(brokers.ask, place, monitoring, host.secrets),
        )
        for place in places
    ]
    return asked, broker_session.Session(host, places, settings, recording)


def _processes(host: Host, described: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """nginx, who listens behind it, and what runs in the units that matter."""
    pids: List[int] = []
    if host.instance is not None and host.instance.master is not None:
        pids += [host.instance.master, *host.instance.workers]
    listener = host.app_listener
    pids += [listener["pid"]] if listener and listener["pid"] else []
    pids += processes.of_units([unit["name"] for unit in described], host.table)
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


def _resources(host: Host, blocks: matter.Blocks) -> Dict[str, Any]:
    """The disks that nginx and the service write to are among them."""
    paths = matter.folders(blocks)
    if host.config is not None and host.built is not None and host.instance is not None:
        named = nginx.log_paths(host.config.contents, host.built, host.instance.prefix)
        paths += [*named["access_log"], *named["error_log"]]
        paths.append(host.built.path("http-proxy-temp-path", "proxy_temp"))
    return resources.read(sockets.states(host.tcp), paths[:32])


def _nginx(host: Host, tested: Optional[Attempt]) -> Dict[str, Any]:
    assert host.instance is not None
    assert host.built is not None
    config = host.config or nginx.Config(nginx.main_file(host.instance, host.built), {}, None, {})
    outcome = (tested.value(host.deadline) if tested else None) or (None, "")
    if outcome[0] is None:
        host.missing.setdefault("nginx.test", outcome[1] or "nginx -t was not run")
    found = nginx.describe(host.instance, host.built, config, outcome, host.table, host.opened)
    found["unit"] = matter.nginx_unit(host)
    return found


def _logs(host: Host, names: Sequence[str]) -> List[Dict[str, Any]]:
    """The journal, the kernel, nginx and named files. Of requests only the endpoint's are kept."""
    limits, secrets = host.limits, host.secrets
    journal = host.start("journal", lambda: logs.journal(names, limits, secrets))
    paths: Dict[str, Optional[str]] = {}
    if host.config is not None and host.built is not None and host.instance is not None:
        named = nginx.log_paths(host.config.contents, host.built, host.instance.prefix)
        paths.update((path, host.wanted.path) for path in named["access_log"])
        paths.update((path, None) for path in named["error_log"])
    written = host.now("logs.app", lambda: log_sources.of_app(host, names)) or {}
    paths.update((path, None) for path in written)
    paths.update((path, None) for path in host.wanted.log_files)
    if os.path.exists(AUDIT_LOG):
        paths[AUDIT_LOG] = "denied"
    found = [host.now("kernel", lambda: logs.kernel(limits, secrets))]
    for path, word in list(paths.items())[-limits.logs :]:
        found.append(host.now(path, functools.partial(logs.file, path, limits, secrets, word)))
    answered, reasons = journal.value(host.deadline) or ([], {})
    host.missing.update(reasons)
    for log in filter(None, found):
        log["unit"] = written.get(log["source"], "")
    return answered + [log for log in found if log is not None]
