"""Which units matter to the endpoint, and in what order."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import brokers, clock, listeners, units
from .host import Host

Blocks = Optional[Sequence[Mapping[str, str]]]


def names(host: Host) -> List[str]:
    """By importance: named, behind the socket, nginx, by name, brokers, by the port they name."""
    wanted = host.wanted
    app = (host.app_listener or {}).get("unit")
    found: List[Optional[str]] = [units.service(wanted.unit)] if wanted.unit else []
    found += [app, nginx_unit(host)]
    found += units.matching(host.unit_files, wanted.patterns)
    found += brokers.installed_units(host.unit_files)
    found += [item["unit"] for item in host.listeners or [] if brokers.kind_of(item)]
    if app is None and not wanted.unit:
        found += _silent(host)
    elif host.target is not None:
        found += _rivals(host)
    distinct = [name for name in dict.fromkeys(found) if name and name.endswith(".service")]
    return distinct[: host.limits.units]


def nginx_unit(host: Host) -> Optional[str]:
    """The unit of the running nginx, or the one that would run it; None without nginx."""
    if host.instance is None:
        return None
    if host.instance.master is not None:
        return host.instance.unit
    return next((name for name in units.NGINX if name in host.unit_files), None)


def _silent(host: Host) -> List[str]:
    """Nobody listens behind nginx: a unit that an admin wrote may be the one that should."""
    own = units.made_by_admin(host.unit_files)
    if host.target is None:
        return own
    place, port = listeners.split(host.target)
    return units.mentioning(host.unit_files, own, str(port) if port else place) + own


def _rivals(host: Host) -> List[str]:
    """The services of the admin that name the app's port: two may want it."""
    port = listeners.split(host.target or "")[1]
    own = units.made_by_admin(host.unit_files)
    return units.mentioning(host.unit_files, own, str(port)) if port else []


def folders(blocks: Blocks) -> List[str]:
    """Where the services that matter keep what they write, as far as their units tell."""
    found: List[str] = []
    for block in blocks or ():
        found += [path for path in [block.get("WorkingDirectory", "")] if path.startswith("/")]
        for name in block.get("StateDirectory", "").split():
            found.append("/var/lib/" + name)
        found += [p for p in block.get("ReadWritePaths", "").split() if p.startswith("/")]
    return found


def likely(host: Host) -> List[str]:
    """The units whose sockets are tried first when the application must be searched for."""
    named = [units.service(host.wanted.unit)] if host.wanted.unit else []
    return named + units.matching(host.unit_files, host.wanted.patterns)


def to_show(host: Host, matter: Sequence[str]) -> List[str]:
    """What systemctl is asked for: these, the time services, and what the patterns match."""
    services = [name for name in clock.SERVICES if name in host.unit_files]
    return [*matter, *services, *map(units.service, host.wanted.patterns)]


def described(host: Host, blocks: Blocks, matter: Sequence[str]) -> Optional[List[Dict[str, Any]]]:
    """`Unit` data of what matters. A unit that does not exist counts only if it was named."""
    if blocks is None:
        return None
    named = units.service(host.wanted.unit) if host.wanted.unit else None
    chosen = [
        block
        for block in blocks
        if (block.get("LoadState") != "not-found" or block["Id"] == named)
        and (block["Id"] in matter or units.matching([block["Id"]], host.wanted.patterns))
    ]
    return [units.describe(block, host.limits, host.secrets) for block in chosen][
        : host.limits.units
    ]


def time_services(blocks: Blocks) -> Blocks:
    """The time services among them, None where systemd did not answer."""
    if blocks is None:
        return None
    return [block for block in blocks if block["Id"] in clock.SERVICES]


def settings(host: Host, blocks: Blocks) -> Dict[str, str]:
    """Unit -> text with its settings, for the application and what may be it; never sent."""
    app = (host.app_listener or {}).get("unit")
    return {
        block["Id"]: units.environment(block)
        for block in blocks or ()
        if (block["Id"] == app or units.matching([block["Id"]], host.wanted.patterns))
        and not brokers.installed_units([block["Id"]])
    }
