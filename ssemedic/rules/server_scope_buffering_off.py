"""Cause: server_scope_buffering_off."""

from __future__ import annotations

from collections.abc import Iterator

from ssemedic.case import Case
from ssemedic.clues.intent import family
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, Severity
from ssemedic.nginx import Location, Route, all_locations, effective
from ssemedic.nginx.upstream import PASSES
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.HYGIENE, explains=(), needs=("nginx",))
def server_scope_buffering_off(case: Case) -> Iterator[Finding]:
    """Buffering is off for a whole server, and its cache is off with it.

    `proxy_buffering off` at server or http level mends the stream and, silently,
    everything else: nginx caches only what it buffers, so each `proxy_cache` below
    misses every time, and slow clients hold the app's connections.

    The stream is fine. Move the line into the location of the stream.
    """
    yield from _findings(case.route, case.endpoint)


@configured(server_scope_buffering_off)
def configured_scope(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """The configuration tells all of it."""
    yield from _findings(route, endpoint)


def _findings(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    if route.serves != "proxy" or len(route.path) < 3:
        return
    name = f"{family(route)}_buffering"
    outer = effective(route.tree, route.path[:2], name, route.version)
    if not outer.wheres or outer.values[0] != ("off",):
        return
    robbed = [x for x in all_locations(route.tree, route.path[:2]) if _is_robbed(route, x)]
    if not robbed:
        return
    places = ", ".join(f"{x.label} ({x.where})" for x in robbed[:3])
    level = "server" if any(line in _lines(route, 1) for line in outer.lines) else "http"
    here = route.location.label if route.location else "the location of the stream"
    yield Finding(
        hop="nginx",
        where=outer.where,
        observed=f"{name} is off at {level} level, so that the cache of {places} never keeps "
        "anything",
        expected=f"{name} off only in the location of {endpoint.url}",
        certainty=2,
        advice=(
            Advice(
                Audience.SERVER,
                f"Move `{name} off;` from {outer.where} into {here} "
                f"({route.location.where if route.location else 'its server'}).",
            ),
        ),
    )


def _lines(route: Route, level: int) -> tuple[object, ...]:
    return tuple(route.tree.flat(route.path[level].block))


def _is_robbed(route: Route, location: Location) -> bool:
    """True for a location with a cache that buffering from above switches off."""
    own = route.tree.flat(location.directive.block)
    kind = next((d.name[: -len("_pass")] for d in own if d.name in PASSES), None)
    if kind is None:
        return False
    cache = effective(route.tree, location.path, f"{kind}_cache", route.version)
    buffers = effective(route.tree, location.path, f"{kind}_buffering", route.version)
    keeps = bool(cache.wheres) and cache.values[0] != ("off",)
    return keeps and bool(buffers.wheres) and buffers.values[0] == ("off",)
