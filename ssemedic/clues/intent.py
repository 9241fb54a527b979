"""Settings that were meant for a URL, and stand where they do not count for it.

Two ways lead past them: nginx never comes to their location (a pattern that does not match,
a regular expression that wins, another port's server), or it comes there and hands over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ssemedic.nginx import (
    Location,
    Route,
    Tree,
    all_locations,
    effective,
    listens,
    seconds,
    server_names,
)
from ssemedic.nginx.choice import choose_location
from ssemedic.nginx.lexer import Directive
from ssemedic.nginx.pattern import compiled, search
from ssemedic.nginx.request import normal
from ssemedic.nginx.slip import is_slip
from ssemedic.nginx.upstream import PASSES

_REGEX = frozenset("^$()|\\*+?[")
#: What makes a server_name a wildcard or a pattern.
_SPECIAL = frozenset("*~$")

Args = tuple[str, ...]


@dataclass(frozen=True)
class Meant:
    """A location whose settings were meant for the URL.

    ``handed_over`` is True where nginx comes to it and goes on; ``why`` says in words what
    keeps its settings from counting. ``settings`` are those that would count otherwise and
    would help a stream, in force there and not where the URL is answered; ``passes`` is True
    where it leads to an upstream and what answers now does not. ``misnamed`` is the
    server_name that keeps its server from the URL, "" where that is not the reason.
    """

    location: Location
    handed_over: bool
    why: str
    settings: dict[str, tuple[Args, ...]]
    passes: bool = False
    misnamed: str = ""


def meant(found: Route) -> Meant | None:
    """The location whose settings were meant for the URL, None where there is none."""
    if found.server is None or not found.resolved:
        return None
    return next(iter(_all(found)), None)


def family(found: Route) -> str:
    """The first part of the names of the directives that count: "proxy", "fastcgi", ..."""
    handler = found.handler
    return handler.name[: -len("_pass")] if handler and _is_pass(handler) else "proxy"


def value(found: Route, name: str, usual: str) -> str:
    """The first argument in force, ``usual`` where no level has the directive."""
    values = found.setting(name).values
    return values[0][0] if values and values[0] else usual


def _is_pass(handler: Directive) -> bool:
    return handler.name in PASSES


def _all(found: Route) -> Iterator[Meant]:
    answering = found.path[-1] if found.path else None
    for index, location in enumerate(found.chain[:-1]):
        settings = _lost(location.path, found)
        if settings and location.directive is not answering:
            after = found.handed_over[index] if index < len(found.handed_over) else "it"
            last = found.chain[-1]
            why = f"{after} hands over to {last.label} at {last.where}, which has its own settings"
            yield Meant(location, True, why, settings)
    yield from _not_matched(found)


def _not_matched(found: Route) -> Iterator[Meant]:
    assert found.server is not None
    uri = normal(urlsplit(found.url).path or "/")
    visited = {id(x.directive) for x in found.chain} | {id(x) for x in found.path}
    for location in all_locations(found.tree, found.path[:2]):
        if location.modifier == "@" or id(location.directive) in visited:
            continue
        why = _why_not(location, uri, found.chain[0] if found.chain else None)
        if why:
            yield from _meant(location, why, found)
    if found.status is not None and 300 <= found.status < 400:
        return  # as a rule to its https twin: the client follows, and what is written there counts
    for server in _other_servers(found):
        choice = choose_location(found.tree, server, (found.path[0], server), uri)
        if choice.location is not None:
            ports = ", ".join(dict.fromkeys(str(x.port) for x in listens(found.tree, server)))
            why = (
                f"it is in another server of that name (port {ports}, {server.where}), and "
                f"{found.server.where} takes the URL"
            )
            yield from _meant(choice.location, why, found)
    for server, name in _misnamed(found):
        choice = choose_location(found.tree, server, (found.path[0], server), uri)
        if choice.location is not None:
            why = (
                f"it is in the server of {name} ({server.where}), and the URL's host is "
                f"{_host(found)}: {found.server.where} answers as the default"
            )
            for there in _meant(choice.location, why, found):
                yield replace(there, misnamed=name)


def _meant(location: Location, why: str, found: Route) -> Iterator[Meant]:
    settings = _lost(location.path, found)
    own = found.tree.flat(location.directive.block)
    passes = found.serves in ("static", "return") and any(_is_pass(d) for d in own)
    if settings or passes:
        yield Meant(location, False, why, settings, passes)


def _why_not(location: Location, uri: str, chosen: Location | None) -> str:
    """Why a location that looks meant for the URI does not get it; "" where it is not."""
    modifier, name = location.modifier, location.name
    if modifier in ("~", "~*"):
        if _matches(name, modifier == "~*", uri):
            return f"{_takes(chosen)} first" if chosen is not None else ""
        if modifier == "~" and len(name) > 2 and _matches(name, True, uri):
            return "its pattern differs from the path in upper and lower case"
        return ""
    if not name.strip("/") or (chosen is not None and chosen.modifier == "=" == modifier):
        return ""
    if _REGEX & set(name):
        if _matches(name, False, uri):
            return (
                f"{name} has no ~ before it, so nginx takes it as plain text and not as a pattern"
            )
        return ""
    if not name.startswith("/"):
        return "its name does not begin with /" if uri.startswith(f"/{name}") else ""
    if name.rstrip("/") == uri.rstrip("/") and name != uri and not uri.startswith(name):
        return "its name and the path differ in the last slash"
    if modifier == "=":
        return "its name differs in upper and lower case" if _is_cased(name, uri, "=") else ""
    if uri.startswith(name) and chosen is not None and chosen.modifier in ("~", "~*"):
        return f"{_takes(chosen)}: a pattern wins over a plain prefix"
    return "its name differs in upper and lower case" if _is_cased(name, uri, "") else ""


def _is_cased(name: str, uri: str, modifier: str) -> bool:
    small, wanted = name.lower(), uri.lower()
    alike = small == wanted if modifier == "=" else wanted.startswith(small)
    return alike and not uri.startswith(name)


def _takes(chosen: Location) -> str:
    return f"{chosen.label} at {chosen.where} takes the URL"


def _matches(pattern: str, ignore_case: bool, uri: str) -> bool:
    known = compiled(pattern, ignore_case)
    return known is not None and search(known, uri)[1]


def _other_servers(found: Route) -> Iterator[Directive]:
    """The other servers of the same name: an http twin of an https one, or the reverse."""
    assert found.server is not None
    names = {name.lower() for name in server_names(found.tree, found.server)} | {_host(found)}
    behind = {target.port for target in found.targets}
    named = found.tree.once("servers by name", lambda: _by_name(found.tree, found.path[0]))
    twins = dict.fromkeys(server for name in sorted(names) for server in named.get(name, ()))
    for server in twins:
        onward = behind & {listen.port for listen in listens(found.tree, server)}
        if server is not found.server and not onward:
            yield server


def _misnamed(found: Route) -> Iterator[tuple[Directive, str]]:
    """Servers of the URL's port whose name is its host but for a slip, and that name.

    Only where nginx took the server for want of a better one, not by its name.
    """
    assert found.server is not None
    host, parts = _host(found), urlsplit(found.url)
    names = {name.lower() for name in server_names(found.tree, found.server)}
    if host in names or any(_SPECIAL & set(name) or name.startswith(".") for name in names):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    named = found.tree.once("servers by name", lambda: _by_name(found.tree, found.path[0]))
    for name in named:
        if is_slip(name, host):
            for server in named[name]:
                if port in {listen.port for listen in listens(found.tree, server)}:
                    yield server, name


def _host(found: Route) -> str:
    return (urlsplit(found.url).hostname or "").lower()


def _by_name(tree: Tree, http: Directive) -> dict[str, list[Directive]]:
    found: dict[str, list[Directive]] = {}
    for server in tree.blocks("server", http):
        for name in {name.lower() for name in server_names(tree, server)} - {"", "_"}:
            found.setdefault(name, []).append(server)
    return found


def _lost(path: tuple[Directive, ...], found: Route) -> dict[str, tuple[Args, ...]]:
    """What helps a stream at ``path`` and is not in force where the URL is answered."""
    kind = family(found)
    lost: dict[str, tuple[Args, ...]] = {}
    for name in (f"{kind}_buffering", f"{kind}_cache", "gzip"):
        there = effective(found.tree, path, name, found.version)
        usual = "on" if name.endswith("_buffering") else "off"
        if there.wheres and there.values[0] == ("off",) and value(found, name, usual) != "off":
            lost[name] = (("off",),)
    name = f"{kind}_read_timeout"
    there = effective(found.tree, path, name, found.version)
    if there.wheres and there.values[0]:
        longer, now = seconds(there.values[0][0]), seconds(value(found, name, "60s"))
        if longer is not None and now is not None and longer > now:
            lost[name] = (there.values[0],)
    there = effective(found.tree, path, "proxy_http_version", found.version)
    if kind == "proxy" and there.values[0] == ("1.1",) != found.setting(there.name).values[0]:
        lost[there.name] = (("1.1",),)
        headers = effective(found.tree, path, "proxy_set_header", found.version)
        if headers.keyed("Connection") == ("",):
            lost["proxy_set_header"] = (("Connection", ""),)
    return lost


def settings_that_help(there: Meant) -> bool:
    """True if the settings that do not count are more than a longer timeout."""
    return there.passes or any(name.endswith(("_buffering", "_cache")) for name in there.settings)


def all_uses(found: Route, name: str) -> tuple[Directive, ...]:
    """Every try_files and error_page line of the server that leads to a named location."""
    if found.server is None:
        return ()
    blocks = [found.server, *(x.directive for x in all_locations(found.tree, found.path[:2]))]
    return tuple(
        line
        for block in blocks
        for line in found.tree.flat(block.block)
        if line.name in ("try_files", "error_page") and line.args and line.args[-1] == name
    )
