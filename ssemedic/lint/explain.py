"""What is in force for one URL, and where each of it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ssemedic.nginx import Route, Setting, statement

#: What a stream depends on, where its family of directives has it.
_FAMILY = (
    "buffering", "buffer_size", "read_timeout", "send_timeout", "cache", "ignore_headers",
    "intercept_errors",
)  # fmt: skip
_PROXY = ("proxy_http_version", "proxy_set_header")
_COMMON = (
    "gzip", "gzip_types", "add_header", "limit_conn", "auth_request", "send_timeout",
    "keepalive", "worker_connections", "worker_rlimit_nofile", "worker_shutdown_timeout",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One thing that is so: its name, its value in nginx's words, and "file:line" or
    "default of 1.22.1"."""

    name: str
    value: str
    where: str


def explained(route: Route) -> tuple[Fact, ...]:
    """The way of the URL, then the settings in force where it is answered."""
    return (*_way(route), *_settings(route))


def _way(route: Route) -> Iterator[Fact]:
    if route.server is None:
        return
    if route.listen is not None:
        spoken = ", ".join(route.protocols)
        yield Fact("listen", f"{route.listen.address}:{route.listen.port}, {spoken}",
                   route.listen.where)  # fmt: skip
    names = [arg for line in route.tree.lines(route.server, "server_name") for arg in line.args]
    yield Fact("server", " ".join(names) or "no name", route.server.where)
    for number, location in enumerate(route.chain):
        by = f", by {route.handed_over[number - 1]}" if 0 < number <= len(route.handed_over) else ""
        yield Fact("location", " ".join(location.directive.args) + by, location.where)
    for block in route.path[2:]:
        if block.name == "if":
            yield Fact("if", " ".join(block.args), block.where)
    if route.handler is not None:
        line = statement(route.handler.name, route.handler.args)
        yield Fact(route.serves, line, route.handler.where)
    for target in route.targets:
        place = f"unix:{target.unix}" if target.unix else f"{target.host}:{target.port}"
        yield Fact("target", place, target.where)
    if route.uri_passed is not None:
        handler = route.handler or route.server
        yield Fact("asked for", route.uri_passed, handler.where)


def _settings(route: Route) -> Iterator[Fact]:
    if route.serves != "proxy":
        return
    for name in _FAMILY:
        yield from _facts(route.stream_setting(name))
    for name in (*(_PROXY if route.family == "proxy" else ()), *_COMMON):
        yield from _facts(route.setting(name))


def _facts(setting: Setting) -> Iterator[Fact]:
    """One for each line; nothing where nobody set what has no default."""
    for number, args in enumerate(setting.values):
        where = setting.wheres[number] if number < len(setting.wheres) else setting.where
        yield Fact(setting.name, " ".join(arg or '""' for arg in args), where)
