"""Locations that look like event streams, for when nobody names the URL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .choice import Location, all_locations, listens, server_names
from .lexer import Directive
from .request import request_of
from .route import Route, route
from .settings import effective
from .tree import Tree
from .upstream import Target
from .versions import seconds

_NAME = re.compile(
    r"(?:^|[/_.-])(?:events?|sse|streams?|stream(?:ing)?|event-?source|subscribe|notifications?"
    r"|notify|live|push|feed|updates|mercure|hub)(?:$|[/_.-])",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"\^?(/[\w./-]*)")
_LONG = 300.0  # seconds; nobody waits that long for a page


@dataclass(frozen=True)
class Candidate:
    """A location that may serve a stream: a URL to try, where it goes and what speaks for it."""

    url: str
    server: Directive
    location: Location
    targets: tuple[Target, ...]
    reasons: tuple[str, ...]


def endpoints(tree: Tree, version: str = "") -> tuple[Candidate, ...]:
    """Candidates of event streams, the likeliest first."""
    http = next(tree.blocks("http"), None)
    if http is None:
        return ()
    found: list[Candidate] = []
    for server in tree.blocks("server", http):
        base = _base_url(tree, server)
        if base is None:
            continue
        for location in all_locations(tree, (http, server)):
            path = _path(location)
            if path is None:
                continue
            way = route(tree, base + path, version)
            reasons = _reasons(tree, location, way, version)
            if way.serves == "proxy" and reasons and way.server is server:
                found.append(
                    Candidate(base + path, server, location, way.possible_targets, reasons)
                )
    return tuple(sorted(found, key=lambda c: -len(c.reasons)))


def _reasons(tree: Tree, location: Location, way: Route, version: str) -> tuple[str, ...]:
    out = []
    if _NAME.search(location.name):
        out.append(f"{location.label} is named like one")
    for name in (f"{family}_buffering" for family in ("proxy", "fastcgi", "uwsgi", "scgi")):
        for place in (location.path, way.path):
            setting = effective(tree, place, name, version)
            if not setting.is_default and setting.values[0][0] == "off":
                out.append(f"{name} off at {setting.where}")
                break
    timeout = way.stream_setting("read_timeout")
    value = seconds(timeout.first)
    if value is not None and value >= _LONG:
        out.append(f"{timeout.name} {timeout.first} at {timeout.where}")
    return tuple(out)


def _base_url(tree: Tree, server: Directive) -> str | None:
    tcp = [x for x in listens(tree, server) if x.port and not x.quic]
    if not tcp:
        return None
    listen = tcp[0]
    names = [n for n in server_names(tree, server) if re.fullmatch(r"[\w.-]+", n) and n != "_"]
    address = listen.address if listen.address not in ("*", "::") else "127.0.0.1"
    host = names[0] if names else f"[{address}]" if ":" in address else address
    scheme = "https" if listen.tls else "http"
    standard = {"http": 80, "https": 443}[scheme]
    url = f"{scheme}://{host}" + ("" if listen.port == standard else f":{listen.port}")
    try:
        request_of(url)
    except ValueError:
        return None  # an address that nginx would refuse
    return url


def _path(location: Location) -> str | None:
    """A path that the location is likely to match."""
    if location.modifier == "@":
        return None
    if location.modifier in ("", "=", "^~"):
        return location.name if re.fullmatch(r"/[\w./~-]*", location.name) else None
    literal = _LITERAL.match(location.name)
    return literal[1] if literal else None
