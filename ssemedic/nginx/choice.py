"""Which server{} and which location{} nginx chooses.

Follows ngx_http_find_virtual_server() and ngx_http_core_find_location().
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from .lexer import Directive
from .pattern import TooHardError, compiled, search
from .request import Request
from .tree import Tree

_HANDLERS_WITH_REDIRECT = frozenset(
    {"proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass", "grpc_pass"}
)


@dataclass(frozen=True)
class Listen:
    """One listen directive. ``address`` is "*" or "::" for any, "unix:..." for a socket.

    ``http2`` and ``quic`` are its own parameters; ``v6only`` is False where a "::" takes
    IPv4 connections too.
    """

    address: str
    port: int
    default: bool
    tls: bool
    where: str
    http2: bool = False
    quic: bool = False
    proxy_protocol: bool = False
    v6only: bool = True


@dataclass(frozen=True)
class Location:
    """A location block and the blocks around it, outermost first, itself last.

    ``modifier`` is "", "=", "^~", "~", "~*" or "@".
    """

    modifier: str
    name: str
    directive: Directive
    path: tuple[Directive, ...]

    @property
    def where(self) -> str:
        """ "file:line"."""
        return self.directive.where

    @property
    def label(self) -> str:
        """As one would write it: "location ^~ /events"."""
        return " ".join(part for part in ("location", *self.directive.args) if part)


@dataclass(frozen=True)
class Choice:
    """A chosen location; ``exact`` ends the search. ``redirect`` is the URI of a 301 to the
    slash form; ``unsure`` names a pattern that could not be evaluated before it."""

    location: Location | None
    captures: dict[str, str]
    redirect: str | None = None
    unsure: tuple[str, ...] = ()


def listens(tree: Tree, server: Directive) -> tuple[Listen, ...]:
    """Where a server listens; *:80 where it does not say."""
    return tree.once(("listens", server), lambda: _listens(tree, server))


def _listens(tree: Tree, server: Directive) -> tuple[Listen, ...]:
    found = tuple(
        listen
        for directive in tree.lines(server, "listen")
        if directive.args
        for listen in _listen(directive)
    )
    return found or (Listen("*", 80, False, False, server.where),)


def server_names(tree: Tree, server: Directive) -> tuple[str, ...]:
    """All names of a server, as written; ("",) where it has none."""
    names = tuple(
        name for directive in tree.lines(server, "server_name") for name in directive.args
    )
    return names or ("",)


class ServerChoice(NamedTuple):
    """A chosen server and how the connection came to it. ``listen`` has the TLS, HTTP/2 and
    PROXY protocol of its socket, whichever server asked for them. ``captures`` are those of
    a regular expression in server_name. ``others`` are the servers that the same name
    reaches at other addresses of the port."""

    server: Directive | None
    listen: Listen | None
    notes: tuple[str, ...] = ()
    captures: Mapping[str, str] = {}
    others: tuple[tuple[Listen, Directive], ...] = ()
    sure: bool = True


class _Names(NamedTuple):
    """The servers of one socket by name, as nginx hashes them."""

    members: list[tuple[Directive, Listen]]
    exact: dict[str, int]
    heads: dict[str, int]
    tails: dict[str, int]
    patterns: list[tuple[str, int]]
    taken: set[str]  # exact names that were said before


def choose_server(
    tree: Tree, http: Directive, request: Request, address: str | None = None
) -> ServerChoice:
    """The server for a request.

    ``address`` is the local address the connection arrives at ("unix:/path" for a socket);
    without it the URL's own host is taken where it is an address, else the wildcard listens
    come first.
    """
    key = ("server", http, request.scheme, request.host, request.port, address)
    return tree.once(key, lambda: _chosen(tree, http, request, address))


def _chosen(tree: Tree, http: Directive, request: Request, address: str | None) -> ServerChoice:
    unix = address is not None and address.startswith("unix:")
    groups = _groups(tree, http, 0 if unix else request.port)
    if not groups:
        place = address if unix else f"port {request.port}"
        return ServerChoice(None, None, (f"no server listens on {place}",))
    notes: list[str] = []
    known = address or request.address
    order = _group_order(groups, known)
    if address is not None and _taking(groups, address) is None:
        return ServerChoice(None, None, (f"no server listens at {address} port {request.port}",))
    captures: dict[str, str] = {}
    chosen = _by_name(groups[order[0]], request.named, notes, captures)
    at = order[0]
    if chosen is None and not known:
        # The name says where its clients arrive: a server of that name on another address.
        for other in order[1:]:
            chosen = _by_name(groups[other], request.named, notes, captures)
            if chosen is not None:
                at = other
                break
    sure = not notes
    if chosen is None:
        chosen = _default(groups[at])
        names = " ".join(server_names(tree, chosen[0]))
        notes.append(
            f"no server_name on port {request.port} matches {request.host}: "
            f"the default server {chosen[0].where} ({names or 'no name'}) answers"
        )
    listen = _socket(tree, http, groups[at], chosen[1])
    others = [] if known else _elsewhere(groups, at, request.named, chosen[0])
    if request.scheme == "https" and not (listen.tls or listen.quic):
        notes.append(f"{chosen[1].where}: listens without TLS, the URL is https")
    if request.scheme == "http" and listen.tls:
        notes.append(f"{chosen[1].where}: listens with TLS, the URL is http: nginx answers 400")
    return ServerChoice(chosen[0], listen, tuple(notes), captures, tuple(others), sure)


def choose_location(tree: Tree, server: Directive, path: tuple[Directive, ...], uri: str) -> Choice:
    """The location for a URI among those of ``server`` (and nested ones)."""
    _, choice = _find(tree, server, path, uri)
    return choice


def named_location(
    tree: Tree, server: Directive, path: tuple[Directive, ...], name: str
) -> Location | None:
    """The location @name of a server."""
    for location in _locations(tree, server, path):
        if location.modifier == "@" and location.name == name:
            return location
    return None


def all_locations(tree: Tree, path: tuple[Directive, ...]) -> Iterator[Location]:
    """Every location below the last block of ``path``, nested ones after their parent."""
    for location in _locations(tree, path[-1], path):
        yield location
        yield from all_locations(tree, location.path)


def _listen(directive: Directive) -> tuple[Listen, ...]:
    """The sockets of one listen line: several for a range of ports, and for "localhost", which
    most hosts have for IPv4 and IPv6."""
    value, flags = directive.args[0], directive.args[1:]
    quic = "quic" in flags
    plain = Listen(
        value,
        0,
        "default_server" in flags or "default" in flags,
        "ssl" in flags or quic,
        directive.where,
        "http2" in flags or "spdy" in flags,
        quic,
        "proxy_protocol" in flags,
        "ipv6only=off" not in flags,
    )
    if value.startswith("unix:"):
        return (plain,)
    host, port = "*", value
    if not re.fullmatch(r"\d+(-\d+)?", value):
        found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d+(?:-\d+)?))?", value)
        host, port = (found[1].strip("[]"), found[2] or "80") if found else (value, "80")
    first, _, last = port.partition("-")
    hosts = ("127.0.0.1", "::1") if host.lower() == "localhost" else (_address(host),)
    ports = range(int(first), min(int(last or first), 65535) + 1)
    return tuple(replace(plain, address=h, port=p) for h in hosts for p in ports)


def _address(text: str) -> str:
    if text in ("*", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return "*"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _groups(tree: Tree, http: Directive, port: int) -> Mapping[str, _Names]:
    """The sockets of a port by address, TCP where there is one, else QUIC."""
    every = tree.once(("sockets", http), lambda: _sockets(tree, http))
    tcp: Mapping[str, _Names] = every.get((port, False), {})
    return tcp or every.get((port, True), {})


def _sockets(tree: Tree, http: Directive) -> dict[tuple[int, bool], dict[str, _Names]]:
    found: dict[tuple[int, bool], dict[str, _Names]] = {}
    for server in tree.blocks("server", http):
        names = server_names(tree, server)
        for listen in listens(tree, server):
            of_port = found.setdefault((listen.port, listen.quic), {})
            group = of_port.setdefault(listen.address, _Names([], {}, {}, {}, [], set()))
            _enter(group, names, server, listen)
    return found


def _enter(group: _Names, names: tuple[str, ...], server: Directive, listen: Listen) -> None:
    """ngx_http_server_names() and ngx_hash_add_key(): of two that say the same, the first
    counts, and the whole of the other is ignored (".a.b" after "*.a.b" or "a.b")."""
    at = len(group.members)
    group.members.append((server, listen))
    for raw in names:
        name = raw.lower()
        if raw.startswith("~"):
            group.patterns.append((raw, at))
        elif name.startswith("*."):
            group.heads.setdefault(name[1:], at)
        elif name.startswith("."):
            if name[1:] in group.taken:
                continue
            group.taken.add(name[1:])
            if name not in group.heads:
                group.exact[name[1:]] = group.heads[name] = at
        elif name.endswith(".*"):
            group.tails.setdefault(name[:-1], at)
        elif name not in group.taken:
            group.taken.add(name)
            group.exact[name] = at


def _default(group: _Names) -> tuple[Directive, Listen]:
    return next((m for m in group.members if m[1].default), group.members[0])


def _socket(tree: Tree, http: Directive, group: _Names, listen: Listen) -> Listen:
    """The listen with what any server asked of the same socket."""
    key = ("socket", http, listen.address, listen.port, listen.quic)
    tls, http2, proxy_protocol = tree.once(key, lambda: _asked(tree, http, group))
    return replace(listen, tls=tls, http2=http2, proxy_protocol=proxy_protocol)


def _asked(tree: Tree, http: Directive, group: _Names) -> tuple[bool, bool, bool]:
    """TLS, HTTP/2 and PROXY protocol of a socket; TLS also by `ssl on`, gone since 1.25.1."""
    everywhere = tree.lines(http, "ssl")

    def ssl_on(server: Directive) -> bool:
        said = tree.lines(server, "ssl") or everywhere
        return bool(said) and said[0].args[:1] == ("on",)

    return (
        any(at.tls or ssl_on(server) for server, at in group.members),
        any(at.http2 for _, at in group.members),
        any(at.proxy_protocol for _, at in group.members),
    )


def _elsewhere(
    groups: Mapping[str, _Names], at: str, host: str, chosen: Directive
) -> Iterator[tuple[Listen, Directive]]:
    for address, group in groups.items():
        if address != at:
            server, listen = _by_name(group, host, [], {}) or _default(group)
            if server is not chosen:
                yield listen, server


def _taking(groups: Mapping[str, _Names], address: str) -> str | None:
    """The socket that takes a connection to a local address; None where none does."""
    if address in groups or address.startswith("unix:"):
        return address if address in groups else None
    if ":" in address:
        return "::" if "::" in groups else None
    if "*" in groups:
        return "*"
    both = "::" in groups and not all(at.v6only for _, at in groups["::"].members)
    return "::" if both else None


def _group_order(groups: Mapping[str, _Names], address: str | None) -> list[str]:
    """The sockets of a port, the one that takes the connection first.

    An exact address always wins over the wildcard; several addresses cannot be told
    apart without knowing where the connection arrives. An address that none takes is one
    that is translated on the way.
    """
    taking = _taking(groups, address) if address is not None else None
    if taking is not None:
        return [taking]
    both = [name for name in ("*", "::") if name in groups]
    return both + [name for name in groups if name not in both]


def _by_name(
    group: _Names, host: str, notes: list[str], captures: dict[str, str]
) -> tuple[Directive, Listen] | None:
    """ngx_http_find_virtual_server(): exact, longest "*.x", longest "x.*", first "~"."""
    at = group.exact.get(host)
    if at is None and group.heads:
        at = next((group.heads[s] for s in _suffixes(host) if s in group.heads), None)
    if at is None and group.tails:
        at = next((group.tails[s] for s in _prefixes(host) if s in group.tails), None)
    if at is not None:
        return group.members[at]
    last = group.patterns[-1][0] if group.patterns else ""
    for raw, index in group.patterns:
        pattern = compiled(raw[1:], ignore_case=True)
        try:
            found, matched = search(pattern, host) if pattern is not None else ({}, False)
        except TooHardError:
            pattern = None
        if pattern is None:
            where = group.members[index][0].where
            notes.append(f"{where}: server_name {raw} could not be evaluated")
        elif matched:
            # A server alone on its socket is not asked for its names, unless the last of
            # them captures something (ngx_http_core_server_name(), ngx_http_add_addrs()).
            if len(group.members) > 1 or "(" in last.replace("(?:", ""):
                captures.update(found)
            return group.members[index]
    return None


def _suffixes(host: str) -> Iterator[str]:
    """ ".b.c", ".c" of "a.b.c": the longest first."""
    pos = host.find(".", 1)
    while pos >= 0:
        yield host[pos:]
        pos = host.find(".", pos + 1)


def _prefixes(host: str) -> Iterator[str]:
    """ "a.b.", "a." of "a.b.c": the longest first."""
    pos = host.rfind(".", 0, len(host) - 1)
    while pos > 0:
        yield host[: pos + 1]
        pos = host.rfind(".", 0, pos)


def _locations(tree: Tree, parent: Directive, path: tuple[Directive, ...]) -> tuple[Location, ...]:
    """The locations directly in ``parent``. A file may be included in several servers: the
    path tells where it counts."""
    return tree.once(
        ("locations", path),
        lambda: tuple(
            Location(*_parts(block.args), block, (*path, block))
            for block in tree.blocks("location", parent)
        ),
    )


def _parts(args: tuple[str, ...]) -> tuple[str, str]:
    """("=", "/x") of `= /x`, and of `=/x` written without the space."""
    if len(args) >= 2:
        return args[0], args[1]
    text = args[0] if args else ""
    if text.startswith("@"):
        return "@", text
    for modifier in ("^~", "~*", "~", "="):
        if text.startswith(modifier):
            return modifier, text[len(modifier) :]
    return "", text


def _find(
    tree: Tree, parent: Directive, path: tuple[Directive, ...], uri: str
) -> tuple[str, Choice]:
    """ngx_http_core_find_location(): "ok" ends the search, "again" is a prefix, "declined"."""
    locations = [x for x in _locations(tree, parent, path) if x.modifier != "@"]
    static, best = [x for x in locations if x.modifier in ("", "=", "^~")], None
    for location in static:
        if location.modifier == "=":
            if location.name == uri:
                return "ok", Choice(location, {})
        elif uri.startswith(location.name) and (
            best is None or len(location.name) > len(best.name)
        ):
            best = location
    if best is None or best.name != uri:
        slash = [x for x in static if x.name == uri + "/"]
        if any(_redirects(tree, x) for x in slash):
            slash.sort(key=lambda x: x.modifier != "=")
            return "ok", Choice(slash[0], {}, redirect=uri + "/")
    state, choice = "declined", Choice(None, {})
    regex_allowed = True
    if best is not None:
        regex_allowed = best.modifier != "^~"
        inner, deeper = _find(tree, best.directive, best.path, uri)
        if inner == "ok":
            return "ok", deeper
        state = "again"
        choice = deeper if inner == "again" else Choice(best, {}, unsure=deeper.unsure)
    if not regex_allowed:
        return state, choice
    unsure = list(choice.unsure)
    for location in locations:
        if location.modifier not in ("~", "~*"):
            continue
        pattern = compiled(location.name, location.modifier == "~*")
        if pattern is None:
            unsure.append(f"{location.where}: {location.label} could not be evaluated")
            continue
        captures, matched = search(pattern, uri)
        if matched:
            inner, deeper = _find(tree, location.directive, location.path, uri)
            if deeper.location is not None:
                if "0" in deeper.captures:  # $1, $2, ... are those of the last pattern alone
                    captures = {k: v for k, v in captures.items() if not k.isdigit()}
                captures = {**captures, **deeper.captures}
                return "ok", Choice(deeper.location, captures, deeper.redirect, tuple(unsure))
            return "ok", Choice(location, captures, unsure=tuple(unsure))
    return state, Choice(choice.location, choice.captures, choice.redirect, tuple(unsure))


def _redirects(tree: Tree, location: Location) -> bool:
    return any(d.name in _HANDLERS_WITH_REDIRECT for d in tree.flat(location.directive.block))
