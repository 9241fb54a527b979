"""Which server{} and which location{} nginx chooses.

Follows ngx_http_find_virtual_server() and ngx_http_core_find_location().
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from .lexer import Directive
from .pattern import compiled, search
from .request import Request
from .tree import Tree

_HANDLERS_WITH_REDIRECT = frozenset(
    {"proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass", "grpc_pass"}
)


@dataclass(frozen=True)
class Listen:
    """One listen directive. ``address`` is "*" or "::" for any, "unix:..." for a socket."""

    address: str
    port: int
    default: bool
    tls: bool
    where: str


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
    found = tuple(
        _listen(directive)
        for directive in tree.flat(server.block)
        if directive.name == "listen" and directive.args
    )
    return found or (Listen("*", 80, False, False, server.where),)


def server_names(tree: Tree, server: Directive) -> tuple[str, ...]:
    """All names of a server, as written; ("",) where it has none."""
    names = tuple(
        name
        for directive in tree.flat(server.block)
        if directive.name == "server_name"
        for name in directive.args
    )
    return names or ("",)


def choose_server(
    tree: Tree, http: Directive, request: Request, address: str | None = None
) -> tuple[Directive | None, Listen | None, tuple[str, ...]]:
    """The server for a request, the listen it came by, and notes.

    ``address`` is the local address the connection arrives at; without it the URL's own
    host is taken where it is an address, else the wildcard listens come first.
    """
    here = [
        (server, listen)
        for server in tree.blocks("server", http)
        for listen in listens(tree, server)
        if listen.port == request.port and not listen.address.startswith("unix:")
    ]
    if not here:
        return None, None, (f"no server listens on port {request.port}",)
    notes: list[str] = []
    groups: dict[str, list[tuple[Directive, Listen]]] = {}
    for server, listen in here:
        groups.setdefault(listen.address, []).append((server, listen))
    order = _group_order(groups, address or request.address)
    chosen = _by_name(tree, groups[order[0]], request.host, notes)
    if chosen is None and not (address or request.address):
        # The name says where its clients arrive: a server of that name on another address.
        for other in order[1:]:
            chosen = _by_name(tree, groups[other], request.host, notes)
            if chosen is not None:
                break
    if chosen is None:
        group = groups[order[0]]
        chosen = next(((s, at) for s, at in group if at.default), group[0])
        names = " ".join(server_names(tree, chosen[0]))
        notes.append(
            f"no server_name on port {request.port} matches {request.host}: "
            f"the default server {chosen[0].where} ({names or 'no name'}) answers"
        )
    if request.scheme == "https" and not chosen[1].tls:
        notes.append(f"{chosen[1].where}: listens without TLS, the URL is https")
    return chosen[0], chosen[1], tuple(notes)


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


def _listen(directive: Directive) -> Listen:
    value, flags = directive.args[0], directive.args[1:]
    default = "default_server" in flags or "default" in flags
    tls = "ssl" in flags or "quic" in flags
    if value.startswith("unix:"):
        return Listen(value, 0, default, tls, directive.where)
    host, port = "*", 80
    if value.isdigit():
        port = int(value)
    elif value.startswith("["):
        inner, _, rest = value[1:].partition("]")
        host = _address(inner)
        port = int(rest[1:]) if rest[1:].isdigit() else 80
    else:
        head, _, rest = value.partition(":")
        host = _address(head)
        port = int(rest) if rest.isdigit() else 80
    return Listen(host, port, default, tls, directive.where)


def _address(text: str) -> str:
    if text in ("*", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return "*"
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _group_order(
    groups: dict[str, list[tuple[Directive, Listen]]], address: str | None
) -> list[str]:
    """The listen groups of a port, the one that takes the connection first.

    An exact address always wins over the wildcard; several addresses cannot be told
    apart without knowing where the connection arrives.
    """
    wildcard = "::" if address and ":" in address else "*"
    if address is not None and address in groups:
        return [address]
    if wildcard in groups and address:
        return [wildcard]
    first = [name for name in ("*", "::") if name in groups]
    return first + [name for name in groups if name not in first]


def _by_name(
    tree: Tree, group: list[tuple[Directive, Listen]], host: str, notes: list[str]
) -> tuple[Directive, Listen] | None:
    exact: tuple[Directive, Listen] | None = None
    head: tuple[int, tuple[Directive, Listen]] | None = None
    tail: tuple[int, tuple[Directive, Listen]] | None = None
    regex: tuple[Directive, Listen] | None = None
    for member in group:
        for raw in server_names(tree, member[0]):
            name = raw.lower()
            if raw.startswith("~"):
                pattern = compiled(raw[1:], True)
                if pattern is None:
                    notes.append(f"{member[0].where}: server_name {raw} could not be evaluated")
                elif regex is None and search(pattern, host)[1]:
                    regex = member
            elif name == host or (name.startswith(".") and name[1:] == host):
                exact = exact or member
            elif name.startswith(("*.", ".")):
                suffix = name[name.index(".") :]
                if host.endswith(suffix) and (head is None or len(suffix) > head[0]):
                    head = (len(suffix), member)
            elif name.endswith(".*"):
                prefix = name[:-1]
                if host.startswith(prefix) and (tail is None or len(prefix) > tail[0]):
                    tail = (len(prefix), member)
    return exact or (head[1] if head else None) or (tail[1] if tail else None) or regex


def _locations(tree: Tree, parent: Directive, path: tuple[Directive, ...]) -> Iterator[Location]:
    for block in tree.blocks("location", parent):
        modifier, name = _parts(block.args)
        yield Location(modifier, name, block, (*path, block))


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
                captures = {**captures, **deeper.captures}
                return "ok", Choice(deeper.location, captures, deeper.redirect, tuple(unsure))
            return "ok", Choice(location, captures, unsure=tuple(unsure))
    return state, Choice(choice.location, choice.captures, choice.redirect, tuple(unsure))


def _redirects(tree: Tree, location: Location) -> bool:
    return any(d.name in _HANDLERS_WITH_REDIRECT for d in tree.flat(location.directive.block))
