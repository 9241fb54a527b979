"""Where a location passes its requests to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .lexer import Directive
from .tree import Tree

PASSES = ("proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass")
_SCHEMES = {
    "proxy_pass": "http",
    "fastcgi_pass": "fastcgi",
    "uwsgi_pass": "uwsgi",
    "scgi_pass": "scgi",
}
_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_SPLIT = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<rest>.*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """One place that may answer. ``host`` and ``port`` are empty for a unix socket, whose
    path is in ``unix``; ``where`` is the line that names it. ``resolve`` is the parameter by
    which an upstream's name is looked up again while nginx runs (1.27.3)."""

    host: str
    port: int
    unix: str
    scheme: str
    where: str
    backup: bool = False
    down: bool = False
    resolve: bool = False

    @property
    def name(self) -> str:
        """The host where it is a name that has to be looked up; "" for an address."""
        return "" if self.unix or re.fullmatch(r"[\d.]+|.*:.*", self.host) else self.host


@dataclass(frozen=True)
class Passed:
    """A pass directive taken apart. ``uri`` is the URI part as written, None without one;
    ``authority`` the host:port, upstream name or "unix:/path"."""

    scheme: str
    authority: str
    uri: str | None


def take_apart(directive: str, value: str) -> Passed:
    """ "http://127.0.0.1:8000/x" -> http, 127.0.0.1:8000, /x."""
    found = _SPLIT.fullmatch(value)
    assert found is not None  # every part of the pattern is optional
    scheme = (found["scheme"] or _SCHEMES.get(directive, "grpc")).lower()
    rest = found["rest"]
    if rest.startswith("unix:"):
        path, _colon, uri = rest[5:].partition(":")
        # A colon with nothing behind it is no URI: the client's path goes along.
        return Passed(scheme, f"unix:{path}", uri or None)
    cut = min((rest.index(c) for c in "/?" if c in rest), default=len(rest))
    if "$" in rest[:cut] and cut == len(rest):
        return Passed(scheme, rest, None)
    uri = rest[cut:]
    return Passed(scheme, rest[:cut], (uri if uri.startswith("/") else f"/{uri}") if uri else None)


def upstream_block(tree: Tree, http: Directive, name: str) -> Directive | None:
    """The upstream{} of that name."""
    for block in tree.blocks("upstream", http):
        if block.args and block.args[0].lower() == name.lower():
            return block
    return None


def targets(
    tree: Tree, http: Directive, passed: Passed, where: str
) -> tuple[tuple[Target, ...], Directive | None]:
    """The places behind a pass, and the upstream block if there is one."""
    block = upstream_block(tree, http, passed.authority)
    if block is None:
        port = _PORTS.get(passed.scheme, 80)
        return (_target(passed.authority, passed.scheme, where, port),), None
    return tuple(
        _target(server.args[0], passed.scheme, server.where, 80, server.args[1:])
        for server in tree.flat(block.block)
        if server.name == "server" and server.args
    ), block


def _target(
    authority: str, scheme: str, where: str, default: int, flags: tuple[str, ...] = ()
) -> Target:
    """``default`` is the port where none is written: in an upstream block always 80."""
    backup, down, resolve = "backup" in flags, "down" in flags, "resolve" in flags
    if authority.startswith("unix:"):
        return Target("", 0, authority[5:], scheme, where, backup, down, resolve)
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d+))?", authority)
    host, port = (found[1], found[2]) if found else (authority, None)
    number = int(port) if port else default
    return Target(host.strip("[]"), number, "", scheme, where, backup, down, resolve)
