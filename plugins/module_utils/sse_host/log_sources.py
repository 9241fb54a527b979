"""Which logs tell of the endpoint: journals, the kernel, nginx's files, and what the app writes."""

from __future__ import annotations

import functools
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import files, log_files, log_scans, matter, nginx, processes
from .host import Host
from .limits import UnavailableError

_MOST_OF_APP = 6  # log files that a service writes itself
_MOST_JOURNALS = 2
_BEFORE, _AFTER = 1.0, 2.0  # seconds around our streams: a log may know whole seconds only
_UNIT_BYTES = 65536


def of_app(host: Host, names: Sequence[str]) -> Dict[str, str]:
    """Log files that the app writes beside the journal -> its unit."""
    unit = _app_unit(host, names)
    if unit is None:
        return {}
    pids = processes.of_units([unit], host.table)
    texts = [_text(path) for path in _definitions(host, unit)]
    found = dict.fromkeys(log_files.written_by(pids) + log_files.named_by_unit(texts), unit)
    return dict(list(found.items())[:_MOST_OF_APP])


def scans(
    host: Host, names: Sequence[str], logs: Sequence[Mapping[str, Any]], began: float
) -> List[Any]:
    """`LogScan` data of every source. ``began`` is when the collection did, in epoch seconds."""
    secrets, now = host.secrets, time.time()
    around = log_scans.Around(
        since=now - log_scans.LOOK_BACK,
        asked=(began - _BEFORE, now + _AFTER),
        deadline=time.monotonic() + log_scans.SECONDS,
    )
    journals = [
        host.start(
            "log_scans.journal:" + unit,
            functools.partial(
                log_scans.journal,
                log_scans.Source("journal:" + unit, unit),
                around,
                host.limits,
                secrets,
            ),
        )
        for unit in _journals(host, names)
    ]
    found = [
        host.now(
            "log_scans." + source.name, functools.partial(log_scans.file, source, around, secrets)
        )
        for source in _files(host, names)
    ]
    kernel = next((log for log in logs if log["source"] == "kernel"), None)
    if kernel is not None:
        found.append(log_scans.lines(log_scans.Source("kernel"), kernel["lines"], around, secrets))
    found += [attempt.value(host.deadline) for attempt in journals]
    return [scan for scan in found if scan is not None]


def _journals(host: Host, names: Sequence[str]) -> List[str]:
    """The app's unit, or those that may be it; nginx keeps logs of its own."""
    own = matter.nginx_unit(host)
    return [name for name in names if name != own][:_MOST_JOURNALS]


def _files(host: Host, names: Sequence[str]) -> List[log_scans.Source]:
    found = [log_scans.Source(path, unit) for path, unit in of_app(host, names).items()]
    found += [log_scans.Source(path) for path in host.wanted.log_files]
    if host.config is not None and host.built is not None and host.instance is not None:
        named = nginx.log_paths(host.config.contents, host.built, host.instance.prefix)
        found += [log_scans.Source(path) for path in named["error_log"]]
        path = host.wanted.path
        if path is not None:
            found += [log_scans.Source(log, requests=path) for log in named["access_log"]]
    distinct = {source.name: source for source in reversed(found)}
    return list(reversed(list(distinct.values())))[: host.limits.logs]


def _app_unit(host: Host, names: Sequence[str]) -> Optional[str]:
    """The unit behind the socket; where nobody listens, the most likely one."""
    listener = host.app_listener
    if listener and listener["unit"]:
        return str(listener["unit"])
    own = matter.nginx_unit(host)
    return next((name for name in names if name != own and name in host.unit_files), None)


def _definitions(host: Host, unit: str) -> List[str]:
    path = host.unit_files.get(unit)
    return [path, *log_files.drop_ins(unit)] if path else []


def _text(path: str) -> str:
    try:
        return files.read(path, _UNIT_BYTES).decode("utf-8", "replace")
    except UnavailableError:
        return ""
