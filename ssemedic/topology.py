"""The way of an event, discovered from evidence: URL, nginx, upstream, socket, process, unit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ssemedic.endpoint import Endpoint
from ssemedic.evidence import Evidence, Listener, Nginx, Process, Unit
from ssemedic.nginx import ConfigError, Route, Target, Tree, route, tree_of
from ssemedic.nginx.asked import marked
from ssemedic.nginx.onward import onward
from ssemedic.stream.record import Stream

#: Services that carry a stream's host but never are the application behind it.
INFRASTRUCTURE = re.compile(
    r"^(nginx|ssh|sshd|systemd-.*|dbus|cron|rsyslog|nats.*|redis.*|postgresql.*|pgbouncer"
    r"|ssemedic-.*|user@.*|getty.*|serial-getty.*|chrony|ntp|ntpsec|haproxy|apache2|caddy)(@.*)?\.service$"
)


@dataclass(frozen=True)
class Hop:
    """One station on the way: its name, what it is, where it listens, where we stood."""

    name: str
    label: str
    address: str
    vantage: str


@dataclass(frozen=True)
class Topology:
    """The way of an event on one host. What could not be found is None; ``notes`` say why.

    ``streams`` holds one record per hop, with the app's record under the hop "app"
    even when nginx points elsewhere; ``counter`` holds the varied records.
    ``app_found_elsewhere`` is the socket of the app when nginx does not lead to it.
    """

    hops: tuple[Hop, ...]
    streams: tuple[Stream, ...]
    counter: tuple[Stream, ...]
    tree: Tree | None
    route: Route | None
    inner: Route | None  # what a second nginx server does that the first one asks
    target: Target | None
    target_listens: bool | None
    listener: Listener | None
    unit: Unit | None
    process: Process | None
    app_found_elsewhere: tuple[Stream, ...] = ()
    notes: tuple[str, ...] = ()

    def stream(self, hop: str, variant: str = "") -> Stream | None:
        """The record of a hop, or of a variation of it."""
        pool = self.counter if variant else self.streams
        return next((s for s in pool if (s.hop, s.variant) == (hop, variant)), None)

    @property
    def order(self) -> tuple[str, ...]:
        """Hop names from the app outwards."""
        return tuple(hop.name for hop in self.hops)


def discover(evidence: Evidence, endpoint: Endpoint, with_token: bool = False) -> Topology:
    """Follow the URL inwards as far as evidence goes; what is absent only shortens the way.

    ``with_token`` follows it as a client with a token goes: nginx itself may ask for one.
    """
    notes: list[str] = []
    url = marked(endpoint.url, endpoint.token_parameter) if with_token else endpoint.url
    tree, found = _route(evidence, url, notes)
    inner = onward(found) if found else None
    last = inner if inner and inner.targets else found
    target = last.targets[0] if last and last.targets else None
    plain = [s for s in evidence.streams or () if not s.variant]
    counter = [s for s in evidence.streams or () if s.variant]
    app = next((s for s in plain if s.hop == "app"), None)
    address = endpoint.upstream or (target_address(target) if target else None)
    listens = _listener(evidence, address) is not None if address and _local(address) else None
    elsewhere = tuple(s for s in counter if s.variant == "candidate" and s.is_event_stream)
    astray = app is None or app.never_connected or app.is_of_another_service
    if astray and elsewhere and not endpoint.upstream:
        # nginx does not lead to the app, so what answers is not the app: it is nginx's target.
        if app is not None:
            counter.append(replace(app, variant="target"))
            plain.remove(app)
        if len(elsewhere) == 1:
            plain.insert(0, replace(elsewhere[0], variant=""))
            address = elsewhere[0].address
    else:
        elsewhere = ()
        _take_the_path_that_streams(plain, counter)
    listener = _listener(evidence, address) if address else None
    unit = _unit(evidence, endpoint, listener, address, notes)
    process = _process(evidence, listener, unit)
    return Topology(
        hops=_hops(endpoint, evidence, (found, inner), plain, address, unit),
        streams=tuple(plain),
        counter=tuple(counter),
        tree=tree,
        route=found,
        inner=inner,
        target=target,
        target_listens=listens,
        listener=listener,
        unit=unit,
        process=process,
        app_found_elsewhere=elsewhere,
        notes=tuple(notes),
    )


def _take_the_path_that_streams(plain: list[Stream], counter: list[Stream]) -> None:
    """Where the app streams under another path than nginx asks for, that is the app's record."""
    app = next((s for s in plain if s.hop == "app"), None)
    works = [s for s in counter if s.variant.startswith("path-") and s.is_event_stream]
    if app is None or app.is_event_stream or not works:
        return
    counter.append(replace(app, variant="target"))
    plain[plain.index(app)] = replace(works[0], variant="")


def target_address(target: Target) -> str:
    """A target as the recorder writes addresses: "host:port", "[v6]:port" or "unix:/path"."""
    if target.unix:
        return f"unix:{target.unix}"
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def collected_tree(nginx: Nginx) -> Tree:
    """The configuration as it was collected. Raises `ConfigError` where it cannot be read."""
    links = {file.path: file.link for file in nginx.files if file.link}
    return tree_of({file.path: file.content for file in nginx.files}, nginx.main, links)


def _route(evidence: Evidence, url: str, notes: list[str]) -> tuple[Tree | None, Route | None]:
    nginx = evidence.nginx
    if nginx is None or not nginx.files:
        notes.append(evidence.missing.get("nginx", "nginx: no configuration was collected"))
        return None, None
    try:
        tree = collected_tree(nginx)
        found = route(tree, url, nginx.version, build=nginx.build)
    except ConfigError as error:
        notes.append(f"nginx: {error}")
        return None, None
    if found.server is None:
        notes += [f"nginx: {note}" for note in found.notes]
    return tree, found


def _split(address: str) -> tuple[str, int]:
    parts = urlsplit(f"//{address}")
    return (parts.hostname or "", parts.port or 80)


def _local(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host, _ = _split(address)
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(evidence: Evidence, address: str) -> Listener | None:
    listeners = evidence.listeners or ()
    if address.startswith("unix:"):
        path = address.removeprefix("unix:").rstrip(":")
        return next((x for x in listeners if x.family == "unix" and x.address == path), None)
    host, port = _split(address)
    on_port = [x for x in listeners if x.port == port and x.family != "unix"]
    known = evidence.host_name(host)
    hosts = known.addresses if known else (host,)
    exact = [x for x in on_port if x.address in hosts]
    wildcard = [x for x in on_port if x.address in ("*", "0.0.0.0", "::")]  # noqa: S104 - matched, not bound
    loopback = [x for x in on_port if host == "localhost" and _local(f"{_bracket(x.address)}:1")]
    return next(iter(exact + wildcard + loopback), None)


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _unit(
    evidence: Evidence,
    endpoint: Endpoint,
    listener: Listener | None,
    address: str | None,
    notes: list[str],
) -> Unit | None:
    name = endpoint.unit or (listener.unit if listener else None)
    if name:
        return evidence.unit(name if "." in name else f"{name}.service")
    services = [
        u
        for u in evidence.units or ()
        if u.name.endswith(".service")
        and not INFRASTRUCTURE.match(u.name)
        and u.properties.get("Type") != "oneshot"
        and u.load_state != "not-found"
    ]
    if address and not address.startswith("unix:"):
        clue = re.compile(rf"\b{_split(address)[1]}\b")
        named = [u for u in services if _mentions(evidence, u, clue)]
        services = named or [u for u in services if u.active_state != "active"]
    services = _most_likely(evidence, services)
    if len(services) == 1:
        return services[0]
    if services:
        names = ", ".join(u.name for u in services)
        notes.append(f"service: {names} could all be the one behind the stream; name it as unit")
    return None


def _most_likely(evidence: Evidence, services: Sequence[Unit]) -> list[Unit]:
    """Of units that all could be meant: those that should run, then those that ever did."""
    found = list(services)
    for likely in (
        lambda unit: unit.unit_file_state.startswith("enabled"),
        lambda unit: bool((log := evidence.log(f"journal:{unit.name}")) and log.lines),
    ):
        found = [unit for unit in found if likely(unit)] or found
    return found


def _mentions(evidence: Evidence, unit: Unit, clue: re.Pattern[str]) -> bool:
    """True if the unit's files or what it logged name the port."""
    log = evidence.log(f"journal:{unit.name}")
    texts = [file.text for file in unit.files]
    texts += [line.text for line in log.lines if "://" in line.text] if log else []
    return any(clue.search(text) for text in texts)


def _process(evidence: Evidence, listener: Listener | None, unit: Unit | None) -> Process | None:
    pid = (listener.pid if listener else None) or (unit.main_pid if unit else None)
    return next((p for p in evidence.processes or () if pid and p.pid == pid), None)


def _hops(
    endpoint: Endpoint,
    evidence: Evidence,
    routes: tuple[Route | None, Route | None],
    plain: list[Stream],
    address: str | None,
    unit: Unit | None,
) -> tuple[Hop, ...]:
    """The hops that exist, whether or not they answered."""
    by_name = {stream.hop: stream for stream in plain}
    hops = []
    found, inner = routes
    if address or "app" in by_name:
        where = by_name["app"].address if "app" in by_name else address or ""
        hops.append(Hop("app", unit.name if unit else "the app", where, "inside"))
    if inner is not None and inner.location is not None:
        where = by_name["inner"].address if "inner" in by_name else ""
        hops.append(Hop("inner", f"a second nginx server, {inner.location.label}", where, "inside"))
    if evidence.nginx is not None:
        where = by_name["nginx"].address if "nginx" in by_name else ""
        label = f"nginx {evidence.nginx.version}"
        if found and found.location:
            label += f", {found.location.label}"
        hops.append(Hop("nginx", label, where, "inside"))
    hops.append(Hop("public", "the public URL", endpoint.url, "outside"))
    if "browser" in by_name:
        hops.append(Hop("browser", "a browser", by_name["browser"].url, "browser"))
    if "devproxy" in by_name:
        hops.append(Hop("devproxy", "the dev proxy", by_name["devproxy"].url, "outside"))
    return tuple(hops)
