"""Cause: nginx_internal_redirect_loses_settings."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ssemedic.buffering import told_outside
from ssemedic.case import Case
from ssemedic.endpoint import Endpoint
from ssemedic.finding import Advice, Audience, Finding, Layer, NginxRemedy, Severity
from ssemedic.intent import Meant, all_uses, meant, settings_that_help
from ssemedic.missed import EXPLAINS, missed, text_of
from ssemedic.nginx import Route, statement
from ssemedic.nginx.upstream import take_apart
from ssemedic.rules import configured, rule


@rule(layer=Layer.NGINX, severity=Severity.BROKEN, explains=EXPLAINS, needs=("nginx", "streams"))
def nginx_internal_redirect_loses_settings(case: Case) -> Iterator[Finding]:
    """The location with the settings hands the stream over to another that has none.

    The location of the URL looks right, but it does not pass the request on itself:
    `try_files ... @app`, `rewrite ... last` or `error_page` sends it to another
    location. nginx then forgets the first one; buffering, timeouts and protocol
    are those of the last. On the wire it is plain buffering or a cut after 60 s.

    The settings belong where `proxy_pass` is. If that location serves this stream
    alone they are put there; if others use it, the stream needs a `proxy_pass` of
    its own.
    """
    for one in missed(case, handed_over=True):
        dedicated = _is_dedicated(one.route, one.meant)
        settings = {**one.meant.settings, **told_outside(case, one.hop)}
        yield Finding(
            hop=one.hop,
            where=one.meant.location.where,
            observed=f"the settings of {one.meant.location.label} do not count: {one.meant.why}",
            expected="the settings in the location that passes the request on",
            evidence=one.evidence,
            certainty=3,
            remedy=NginxRemedy(settings) if dedicated else None,
            advice=() if dedicated else (_by_hand(one.route, one.meant),),
        )


@configured(nginx_internal_redirect_loses_settings)
def configured_redirect(route: Route, endpoint: Endpoint) -> Iterator[Finding]:
    """Settings for a stream in a location that hands over."""
    there = meant(route)
    if there is None or not there.handed_over or not settings_that_help(there):
        return
    dedicated = _is_dedicated(route, there)
    yield Finding(
        hop="nginx",
        where=there.location.where,
        observed=f"the settings of {there.location.label} for {endpoint.url} do not count: "
        f"{there.why}",
        expected="the settings in the location that passes the request on",
        remedy=NginxRemedy(there.settings) if dedicated else None,
        advice=() if dedicated else (_by_hand(route, there),),
    )


def _is_dedicated(route: Route, there: Meant) -> bool:
    """True if nothing but the location of the stream leads to the one that answers."""
    last = route.chain[-1]
    if last.modifier == "@":
        uses = all_uses(route, last.name)
        own = there.location.directive
        return all(own.open < use.start < own.close and use.file == own.file for use in uses)
    hidden = any(d.name == "internal" for d in route.tree.flat(last.directive.block))
    return (hidden or last.modifier == "=") and last.name.strip("/") != ""


def _by_hand(route: Route, there: Meant) -> Advice:
    lines = [_pass(route), *text_of(there.settings)]
    last = route.chain[-1]
    return Advice(
        Audience.SERVER,
        f"{last.label} ({last.where}) serves other requests too, so it is not changed by us. In "
        f"{there.location.label} ({there.location.where}) pass the request on directly instead of "
        "handing it over:" + "".join(f"\n    {line}" for line in lines),
    )


def _pass(route: Route) -> str:
    """The pass directive that asks for the same from the first location."""
    handler = route.handler
    if handler is None or not handler.args:
        return "proxy_pass ADDRESS;"
    taken = take_apart(handler.name, handler.args[0])
    asked = (route.uri_passed or "").partition("?")[0]
    same = asked == urlsplit(route.url).path and taken.uri is None
    if handler.name != "proxy_pass" or not asked or same:
        return statement(handler.name, handler.args)
    return statement("proxy_pass", (f"{taken.scheme}://{taken.authority}{asked}",))
